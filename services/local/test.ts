/** `npm test [-- paths…]`: every *.test.ts under node:test, on one PostgreSQL of its own. Ends with node's own summary. */
import { spawn } from 'node:child_process'
import { chmodSync, globSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fromCaller, root } from './config.ts'
import { startPostgres } from './postgres.ts'

const folders = ['proto', 'gateway', 'services', 'sdk', 'mesh', 'load', 'chaos']
const files =
  process.argv.length > 2
    ? process.argv.slice(2).flatMap(testsAt)
    : folders.flatMap((name) => testsIn(join(root, name)))
if (files.length === 0) {
  process.stderr.write('no *.test.ts was found there\n')
  process.exit(1)
}

const scratch = mkdtempSync(join(tmpdir(), 'flowforge-test-'))
// PostgreSQL may run as another user, who must be able to pass.
chmodSync(scratch, 0o711)
const postgres = await startPostgres({
  dataDir: join(scratch, 'postgres'),
  logFile: join(scratch, 'postgres.log'),
  password: 'test',
  durable: false,
  onMessage: (line) => process.stderr.write(`${line}\n`),
})
const flags = ['--test', '--test-concurrency=2', '--test-reporter=spec', '--test-timeout=300000']
const tests = spawn(process.execPath, [...flags, ...files], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, FLOWFORGE_TEST_DATABASE_URL: postgres.url },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => tests.kill(signal))
const code = await new Promise<number>((resolve) => tests.once('exit', (status) => resolve(status ?? 1)))
await postgres.stop(5_000)
rmSync(scratch, { recursive: true, force: true })
process.exit(code)

function testsAt(path: string): string[] {
  const absolute = fromCaller(path)
  return statSync(absolute).isDirectory() ? testsIn(absolute) : [relative(root, absolute)]
}

function testsIn(folder: string): string[] {
  const found = globSync('**/*.test.ts', { cwd: folder, exclude: (name) => name === 'node_modules' || name === 'gen' })
  return found.map((name) => relative(root, join(folder, name))).sort()
}
