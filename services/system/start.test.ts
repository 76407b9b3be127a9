/** `npm start` as a user sees it: what it prints works when typed, one system per data folder, and it leaves nothing behind. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isAlive, recordOf } from '@flowforge/local/processes'
import { startSystem } from '@flowforge/local/system'
import { launch } from './testing/launcher.ts'
import { isInstalled, runCommand } from './testing/run-command.ts'
import { scratchFolder } from './testing/scratch-folder.ts'

const { path: home, remove } = scratchFolder()
const dataDir = join(home, '.flowforge')
const launcher = await launch(dataDir)
after(async () => {
  await launcher.interrupt()
  remove()
})
const start = fileURLToPath(new URL('../local/start.ts', import.meta.url))

/** Starts another one that is expected to end by itself. */
const startAgain = (...args: string[]) => runCommand(process.execPath, [start, ...args], { cwd: home })

test('it is ready within 20 s', (t) => {
  t.diagnostic(`${(launcher.readyMs / 1_000).toFixed(2)} s`)
  ok(launcher.readyMs < 20_000)
})

test('the printed curl line creates a task', async () => {
  const { code, stdout, stderr } = await runCommand('bash', ['-c', launcher.commands.curl], { cwd: home })
  equal(code, 0, stderr)
  const { name } = JSON.parse(stdout)
  const states = await Array.fromAsync(launcher.client.watchTask(name), ({ state }) => state)
  equal(states.at(-1), 'TASK_STATE_SUCCEEDED')
})

test('the printed grpcurl line creates a task', async (t) => {
  if (!(await isInstalled('grpcurl'))) return t.skip('grpcurl is not on the PATH')
  const { code, stdout, stderr } = await runCommand('bash', ['-c', launcher.commands.grpcurl], { cwd: home })
  equal(code, 0, stderr)
  match(JSON.parse(stdout).name, /^projects\/default\/tasks\//)
})

test('the key and what else is secret can be read by the owner alone', () => {
  for (const file of ['api-key', 'secrets.json', 'certificates/operator/key.pem'])
    equal(statSync(join(dataDir, file)).mode & 0o777, 0o600, file)
})

test('a second start in the same folder is refused and names the first', async () => {
  const { code, stderr } = await startAgain('--port', '0', '--data', dataDir)
  equal(code, 1)
  match(stderr, new RegExp(`^FlowForge runs here already: ${launcher.url} \\(process \\d+\\)\\n$`))
})

test('a taken port is one clear line', async () => {
  const { port } = new URL(launcher.url)
  const { code, stderr } = await startAgain('--port', port, '--data', join(home, 'other'))
  equal(code, 1)
  match(stderr, new RegExp(`^port ${port} of 127\\.0\\.0\\.1 is taken .*--port\\n$`))
})

test('options that make no sense are told with the usage, and --help shows it', async () => {
  const { code, stderr } = await startAgain('--workers', 'many')
  equal(code, 2)
  match(stderr, /^--workers must be a whole number .*\n\nUsage: npm start/)
  const help = await startAgain('--help')
  equal(help.code, 0)
  match(help.stdout, /^Usage: npm start/)
})

test('an interrupt at the very last moment of a start ends it all the same', async () => {
  const interrupt = new AbortController()
  const path = join(home, 'late')
  const ready: string[] = []
  const starting = startSystem({
    dataDir: path,
    port: 0,
    durable: false,
    signal: interrupt.signal,
    onReady(name) {
      if (ready.push(name) === 7) interrupt.abort(new Error('interrupted'))
    },
  })
  // Stopped if it starts against expectation, or it would outlive the test.
  await rejects(
    starting.then((system) => system.stop()),
    /interrupted/,
  )
  equal(ready.length, 7)
  deepEqual(readdirSync(join(path, 'run')), [])
})

test('a task in hand does not hold up Ctrl-C: within 10 s no process is left', async (t) => {
  const { name } = await launcher.client.createTask({ type: 'echo', payload: { sleep_ms: 60_000 } })
  for await (const { state } of launcher.client.watchTask(name)) if (state === 'TASK_STATE_RUNNING') break
  const records = Object.values(launcher.pids()).map(recordOf)
  equal(records.length, 7)
  const startedAt = performance.now()
  equal(await launcher.interrupt(), 0)
  const tookMs = performance.now() - startedAt
  t.diagnostic(`stopped after ${(tookMs / 1_000).toFixed(2)} s`)
  ok(tookMs < 10_000)
  deepEqual(records.filter(isAlive), [])
})
