/**
 * `node deploy/bundle.ts FOLDER`: every process as plain JavaScript, with nothing that it does not import.
 *
 * The tree below FOLDER is the repository's, so that what a module reads beside itself is where it looks for it:
 *
 *     gateway/main.mjs  services/<component>/main.mjs  services/<component>/schema/  deploy/setup/<job>.mjs
 *     bundle/chunks/*.mjs              what several processes share, and the contracts that it reads
 *     proto/health/ proto/grpc/        contracts that grpc-health-check and @grpc/reflection read from disk: they look
 *                                      two folders above their own module, which is a chunk
 */
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const [folder] = process.argv.slice(2)
if (folder === undefined) {
  process.stderr.write('usage: node deploy/bundle.ts FOLDER\n')
  process.exit(2)
}

const services = ['accounts', 'notifications', 'tasks', 'worker'].map((component) => `services/${component}`)
const jobs = readdirSync(join(root, 'deploy/setup')).filter((file) =>
  /^(secrets|local-secrets|migrate|verify)\.ts$/.test(file),
)
const entries = [
  'gateway/main.ts',
  ...services.map((service) => `${service}/main.ts`),
  ...jobs.map((job) => `deploy/setup/${job}`),
]

rmSync(folder, { recursive: true, force: true })
const { warnings } = await build({
  absWorkingDir: root,
  entryPoints: entries.map((file) => ({ in: file, out: file.replace(/\.ts$/, '') })),
  outdir: folder,
  chunkNames: 'bundle/chunks/[name]-[hash]',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  // Stack traces keep their function names; a quarter of the size is not worth losing them.
  minifySyntax: true,
  legalComments: 'linked',
  // CommonJS packages ask for these three, which ECMAScript modules do not have.
  banner: {
    js: [
      "import { createRequire as bundledRequire } from 'node:module'",
      'const require = bundledRequire(import.meta.url)',
      'const __dirname = import.meta.dirname, __filename = import.meta.filename',
    ].join('\n'),
  },
  // pg asks for it and does without.
  external: ['pg-native'],
  logLevel: 'warning',
})
if (warnings.length > 0) process.exit(1)

const { resolve } = createRequire(join(root, 'services/runtime/package.json'))
for (const service of services.slice(0, -1)) copy(join(root, service, 'schema'), join(service, 'schema'))
copy(join(root, 'proto/gen/descriptors.binpb'), 'bundle/chunks/gen/descriptors.binpb')
copy(join(dirname(resolve('grpc-health-check')), '../../proto/health'), 'proto/health')
copy(join(dirname(resolve('@grpc/reflection')), '../proto/grpc'), 'proto/grpc')

function copy(from: string, to: string): void {
  mkdirSync(dirname(join(folder!, to)), { recursive: true })
  cpSync(from, join(folder!, to), { recursive: true, filter: (file) => !file.endsWith('.test.ts') })
}
