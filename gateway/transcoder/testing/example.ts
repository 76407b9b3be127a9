import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createFileRegistry, fromBinary, type FileRegistry } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'

const here = dirname(fileURLToPath(import.meta.url))

/** Compiles example.proto; answers the descriptor set's bytes. */
export function exampleDescriptors(): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'transcoder-'))
  try {
    cpSync(join(here, 'example.proto'), join(folder, 'example.proto'))
    const gax = createRequire(import.meta.url).resolve('google-gax')
    cpSync(join(dirname(gax), '..', 'protos', 'google'), join(folder, 'google'), {
      recursive: true,
      filter: (path) => !/\.(?!proto$)[a-z]+$/.test(path) && !path.includes('google/protobuf'),
    })
    writeFileSync(join(folder, 'buf.yaml'), 'version: v2\n')
    const buf = createRequire(import.meta.url).resolve('@bufbuild/buf/package.json')
    execFileSync(
      process.execPath,
      [
        join(dirname(buf), 'bin/buf'),
        'build',
        '--path',
        'example.proto',
        '--as-file-descriptor-set',
        '-o',
        'out.binpb',
      ],
      { cwd: folder },
    )
    return readFileSync(join(folder, 'out.binpb'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The example's types, by name. */
export function exampleRegistry(): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, exampleDescriptors()))
}
