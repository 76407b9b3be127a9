/** Programmes of this folder in pods of the installation's image, which has Node.js and nothing of ours but the services. */
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { root } from '@flowforge/local/config'
import { build } from 'esbuild'

/** One file, with everything that it imports, compressed: a ConfigMap holds at most 1 MiB. */
export async function packed(entry: string): Promise<Buffer> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [join('chaos', entry)],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    legalComments: 'none',
    banner: { js: "import{createRequire as bundled}from'node:module';const require=bundled(import.meta.url);" },
    external: ['pg-native'],
    write: false,
  })
  return brotliCompressSync(outputFiles[0]!.contents)
}

/** What Node.js is told to run a packed programme that lies in this file. */
export function unpackAndRun(file: string): string[] {
  const programme = '/tmp/programme.mjs'
  const unpack = `require('fs').writeFileSync('${programme}',require('zlib').brotliDecompressSync(require('fs').readFileSync('${file}')))`
  return ['--eval', `${unpack};import('${programme}')`]
}
