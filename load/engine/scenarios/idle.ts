import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'

const settleMs = 1_000

/** How many statements a connected system without work sends to its database. */
export async function idle(bench: Bench): Promise<void> {
  await bench.worker.tell({ do: 'consume' })
  await delay(settleMs)
  const statements = await bench.store.statementsDuring(() => delay(bench.scale.idleMs))
  bench.report('idleStatements', (statements * 1000) / bench.scale.idleMs)
  await bench.stopConsuming()
}
