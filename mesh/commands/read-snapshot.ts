import { readFileSync } from 'node:fs'
import { createFileRegistry, fromBinary, type FileRegistry } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { snapshot, type Snapshot } from '../outputs/snapshot.ts'
import { readPolicies } from '../policy/read-policies.ts'

/** A policy from a file: a snapshot (`.json`), or contracts compiled to a descriptor set with its source lines. */
export function readSnapshot(file: string): Snapshot {
  if (file.endsWith('.json')) return JSON.parse(readFileSync(file, 'utf8')) as Snapshot
  return snapshot(readPolicies(readDescriptors(file)))
}

/** Contracts from a descriptor set, such as `buf build --as-file-descriptor-set` writes. */
export function readDescriptors(file: string): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(file)))
}
