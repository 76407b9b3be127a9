import { equal } from 'node:assert/strict'
import { test } from 'node:test'
import { quietLog } from '@flowforge/runtime/testing/log'
import { until } from '@flowforge/runtime/testing/poll'
import { UpkeepLoop } from './loop.ts'

function setup(runOnce: (run: number) => Promise<number | undefined>, everyMs = 60_000) {
  let runs = 0
  const loop = new UpkeepLoop({ name: 'test', everyMs, runOnce: () => runOnce(++runs) }, quietLog)
  loop.start()
  return { loop, runs: () => runs }
}

test('a duty runs again as soon as it says that something is due', async () => {
  const { loop, runs } = setup((run) => Promise.resolve(run < 3 ? 5 : undefined))
  await until(() => runs() === 3)
  await loop.stop()
})

test('waking runs a waiting duty at once, and a running one once more', async () => {
  let letGo: () => void = () => undefined
  const { loop, runs } = setup(async (run) => {
    if (run === 1) await new Promise<void>((resolve) => (letGo = resolve))
    return undefined
  })
  await until(() => runs() === 1)
  loop.wake()
  letGo()
  await until(() => runs() === 2)
  loop.wake()
  await until(() => runs() === 3)
  await loop.stop()
})

test('a duty that fails is tried again, and stopping waits for the run under way', async () => {
  let isDone = false
  const { loop, runs } = setup(async (run) => {
    if (run === 1) throw new Error('the database is away')
    await new Promise((resolve) => setImmediate(resolve))
    isDone = true
    return undefined
  }, 10)
  await until(() => runs() >= 2)
  await loop.stop()
  equal(isDone, true)
})
