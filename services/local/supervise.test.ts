import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { isAlive, recordOf } from './processes.ts'
import { supervise, type ProcessOptions } from './supervise.ts'
import { until } from './until.ts'

async function setup(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-supervise-'))
  const logFile = join(folder, 'fixture.log')
  const messages: string[] = []
  const spawned: number[] = []
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const starts = () => readFileSync(logFile, 'utf8').split('up\n').length - 1
  /** Runs a programme that says `up` once it is ready. */
  const start = async (programme: string, more: Partial<ProcessOptions> = {}) => {
    const supervised = await supervise({
      name: 'fixture',
      command: process.execPath,
      args: ['--eval', programme],
      env: {},
      logFile,
      isReady: async () => starts() >= spawned.length,
      readyWithinMs: 10_000,
      onSpawn: (pid) => spawned.push(pid),
      onMessage: (line) => messages.push(line),
      ...more,
    })
    t.after(() => supervised.stop(0))
    return supervised
  }
  return { start, starts, messages, spawned, logFile }
}

const forever = "setInterval(() => {}, 1e6); console.log('up')"

test('a process that dies is started again, with a message', async (t) => {
  const { start, starts, messages } = await setup(t)
  const supervised = await start(forever)
  const first = supervised.pid
  supervised.kill('SIGKILL')
  ok(await until(() => starts() === 2, 10_000))
  deepEqual(messages, ['fixture exited (SIGKILL); started again'])
  ok(supervised.pid !== undefined && supervised.pid !== first)
})

test('a process that keeps dying is started after growing pauses', async (t) => {
  const { start, messages } = await setup(t)
  await start("console.log('up'); setTimeout(() => process.exit(7), 300)")
  ok(await until(() => messages.length >= 3, 20_000))
  deepEqual(messages.slice(0, 3), [
    'fixture exited (code 7); started again',
    'fixture exited (code 7); starting again in 0.5 s',
    'fixture exited (code 7); starting again in 1 s',
  ])
})

test('a process that fails at its first start is not started again, and its log is shown', async (t) => {
  const { start, spawned } = await setup(t)
  await rejects(
    start("console.error('PORT is not set'); process.exit(2)"),
    /fixture exited \(code 2\) at its start; .*\n {2}PORT is not set$/,
  )
  equal(spawned.length, 1)
})

test('a process that does not become ready in time is ended', async (t) => {
  const { start, spawned } = await setup(t)
  await rejects(start('setInterval(() => {}, 1e6)', { readyWithinMs: 300 }), /fixture was not ready within 0.3 s/)
  equal(isAlive(recordOf(spawned[0]!)), false)
})

test('stop asks kindly first, and kills what does not listen', async (t) => {
  const { start, logFile } = await setup(t)
  const kind = await start(`process.on('SIGTERM', () => { console.log('drained'); process.exit() }); ${forever}`)
  await kind.stop(10_000)
  match(readFileSync(logFile, 'utf8'), /drained/)
  const deaf = await start(`process.on('SIGTERM', () => {}); ${forever}`)
  await deaf.stop(300)
  equal(deaf.pid, undefined)
})

test('a process that is stopped while it waits for its next start stays down', async (t) => {
  const { start, messages, spawned } = await setup(t)
  const supervised = await start("console.log('up'); setTimeout(() => process.exit(7), 300)")
  ok(await until(() => messages.some((line) => line.includes('in 1 s')), 20_000))
  const before = spawned.length
  await supervised.stop(1_000)
  equal(spawned.length, before)
  equal(supervised.pid, undefined)
})

test('a process that was asked to end, and did, is started again at once, however often', async (t) => {
  const { start, starts, messages } = await setup(t)
  const supervised = await start(`process.on('SIGTERM', () => process.exit(0)); ${forever}`)
  for (let time = 1; time <= 3; time++) {
    supervised.kill('SIGTERM')
    ok(await until(() => starts() === time + 1, 20_000))
  }
  deepEqual(new Set(messages), new Set(['fixture exited (code 0); started again']))
})
