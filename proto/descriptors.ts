/** The compiled contracts, as bytes and as a registry that knows every message, service and option of FlowForge. */
import { readFileSync } from 'node:fs'
import { createFileRegistry, fromBinary, type FileRegistry } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'

let bytes: Uint8Array | undefined
let registry: FileRegistry | undefined

/**
 * The `FileDescriptorSet` of all contracts and everything they import, in wire format.
 *
 * Read once, from `gen/descriptors.binpb` beside this module; a bundle has to carry that file beside itself.
 */
export function descriptorSet(): Uint8Array {
  bytes ??= readFileSync(new URL('./gen/descriptors.binpb', import.meta.url))
  return bytes
}

/** The same contracts as linked descriptors, built once. */
export function descriptorRegistry(): FileRegistry {
  registry ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet()))
  return registry
}
