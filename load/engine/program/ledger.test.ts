import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { Ledger } from './ledger.ts'
import { now } from './protocol.ts'

const task = (n: number) => ({ n, sentAt: now(), text: '' })

test('a ledger tells how many of a range have started, and how often one did again', () => {
  const ledger = new Ledger()
  for (const n of [5, 6, 6, 5_000, 9]) ledger.note(task(n))
  const { started, repeats, latenciesMs } = ledger.runs(5, 4)
  deepEqual({ started, repeats, latencies: latenciesMs.length }, { started: 2, repeats: 1, latencies: 2 })
  equal(ledger.runs(0, 10_000).started, 4)
})

test('waiting for a range ends with its last task, and with the time at the latest', async () => {
  const ledger = new Ledger()
  ledger.note(task(0))
  const complete = ledger.complete(0, 3, 60_000)
  for (const n of [2, 2, 7, 1]) ledger.note(task(n))
  await complete
  await ledger.complete(0, 4, 1)
  equal(ledger.runs(0, 4).started, 3)
})
