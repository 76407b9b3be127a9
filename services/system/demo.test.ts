/** `npm run demo` proves what it claims, also when a worker is killed in the middle. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runCommand } from './testing/run-command.ts'
import { scratchFolder } from './testing/scratch-folder.ts'

const demo = fileURLToPath(new URL('../local/demo/run.ts', import.meta.url))

interface Summary {
  submitted: number
  delivered: number
  retried: number
  dead: number
  isProved: boolean
  recovery?: { interrupted: number; lastMs: number }
}

test('with a killed worker each of the 329 payloads still arrives and finishes once', async (t) => {
  const scratch = scratchFolder()
  t.after(() => scratch.remove())
  const { code, stdout, stderr } = await runCommand(process.execPath, [demo, '--kill-worker', '--json'], {
    cwd: scratch.path,
  })
  equal(code, 0, stderr)
  const { submitted, delivered, dead, retried, isProved, recovery } = JSON.parse(stdout) as Summary
  deepEqual([submitted, delivered, dead, isProved], [329, 329, 0, true])
  ok(retried > 0 && recovery!.interrupted > 0)
  t.diagnostic(`${recovery!.interrupted} tasks were interrupted, the last ran again after ${recovery!.lastMs} ms`)
})
