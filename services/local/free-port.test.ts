import { deepEqual, equal } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { text } from 'node:stream/consumers'
import { freePort } from './free-port.ts'

const count = 300

/** Without marks two processes would share nine of 300 ports among 10,000, on average. */
test('a port that one process was given is given to no other, though nobody listens on it yet', async () => {
  const here: number[] = []
  for (let i = 0; i < count; i++) here.push(await freePort())
  const code = `const { freePort } = await import(${JSON.stringify(import.meta.resolve('./free-port.ts'))})
    for (let i = 0; i < ${count}; i++) console.log(await freePort())`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [output, [status]] = await Promise.all([text(child.stdout), once(child, 'close')])
  equal(status, 0)
  const there = output.trim().split('\n').map(Number)
  equal(new Set(here).size + new Set(there).size, 2 * count)
  deepEqual(
    there.filter((port) => here.includes(port)),
    [],
  )
})
