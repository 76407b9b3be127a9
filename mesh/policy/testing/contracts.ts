/** Contracts made for one test, compiled by buf as the real ones are. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createFileRegistry, fromBinary, type FileRegistry } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { buf } from '@flowforge/proto/buf'

const protos = fileURLToPath(new URL('../../../proto', import.meta.url))

/** Where `contracts` puts the text it is given. */
export const contractFile = 'flowforge/tasks/v1/test.proto'

/**
 * Compiles services of package `flowforge.tasks.v1`; throws what buf says of a text that is no contract.
 *
 * The text may use `Empty`, `WithRequestId {string request_id}` and the policy options by their short names.
 */
export function contracts(services: string): FileRegistry {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-contracts-'))
  try {
    cpSync(join(protos, 'googleapis'), join(folder, 'googleapis'), { recursive: true })
    cpSync(join(protos, 'flowforge/mesh'), join(folder, 'proto/flowforge/mesh'), { recursive: true })
    mkdirSync(join(folder, 'proto', dirname(contractFile)), { recursive: true })
    writeFileSync(join(folder, 'proto', contractFile), `${head}${services}${tail}`)
    writeFileSync(join(folder, 'buf.yaml'), 'version: v2\nmodules: [{path: proto}, {path: googleapis}]\n')
    buf(folder, 'build', '--as-file-descriptor-set', '--output', 'set.binpb')
    return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(join(folder, 'set.binpb'))))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const head = [
  'syntax = "proto3";',
  'package flowforge.tasks.v1;',
  'import "flowforge/mesh/v1/policy.proto";',
  'import "google/api/annotations.proto";',
  '',
].join('\n')

const tail = '\nmessage Empty {}\nmessage WithRequestId { string request_id = 1; }\n'

/** The line of the first place where a text stands in the compiled contract. */
export function lineIn(services: string, text: string): number {
  const before = `${head}${services}`.split(text, 1)[0]!
  return before.split('\n').length
}
