import { deepEqual, equal, throws } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { isAlive, recordOf } from './processes.ts'
import { AlreadyRunningError, claim } from './run-folder.ts'

function setup(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-run-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const sleeper = () => {
    const child = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' })
    t.after(() => child.kill('SIGKILL'))
    return child.pid!
  }
  const writeLauncher = (launcher: object) => writeFileSync(join(folder, 'launcher.json'), JSON.stringify(launcher))
  return { folder, sleeper, writeLauncher }
}

test('a second launcher is refused, and told where the first one serves', (t) => {
  const { folder } = setup(t)
  const first = claim(folder, 'http://127.0.0.1:8080')
  throws(
    () => claim(folder, 'http://127.0.0.1:9090'),
    (error) => {
      return (
        error instanceof AlreadyRunningError &&
        error.message.startsWith('FlowForge runs here already: http://127.0.0.1:8080')
      )
    },
  )
  first.release()
  claim(folder, 'http://127.0.0.1:9090').release()
})

test('the claim of a killed launcher is taken over, even when its number belongs to another process now', (t) => {
  const { folder, sleeper, writeLauncher } = setup(t)
  writeLauncher({ pid: sleeper(), startTime: '1', url: 'http://127.0.0.1:8080' })
  claim(folder, 'http://127.0.0.1:8080').release()
})

test('a claim that a crash of the machine cut off is taken over', (t) => {
  const { folder } = setup(t)
  writeFileSync(join(folder, 'launcher.json'), '{"pid":')
  claim(folder, 'http://127.0.0.1:8080').release()
})

test('what a killed launcher left running is ended, and nobody else', async (t) => {
  const { folder, sleeper, writeLauncher } = setup(t)
  const [left, stranger] = [sleeper(), sleeper()]
  const dead = claim(folder, 'http://127.0.0.1:8080')
  dead.record('tasks', left)
  writeFileSync(join(folder, 'worker-1.process.json'), JSON.stringify({ pid: stranger, startTime: '1' }))
  writeLauncher({ pid: 1, startTime: '0', url: '' })
  const [leftRecord, strangerRecord] = [recordOf(left), recordOf(stranger)]
  const next = claim(folder, 'http://127.0.0.1:8080')
  deepEqual(await next.endLeftovers(() => 'SIGTERM'), ['tasks'])
  equal(isAlive(leftRecord), false)
  equal(isAlive(strangerRecord), true)
  next.release()
})
