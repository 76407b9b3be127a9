import type { Bench } from '../bench.ts'
import { now } from '../program/protocol.ts'

const callers = 10
/** Few enough for those who run 1,000 a second. */
const passTasksMax = 10_000

/**
 * What is measured later, first in single calls and then in bulk: after it the programs of all are compiled, their
 * connections open, and the database has caches and statistics as in a system that has run for a while.
 */
export async function warm(bench: Bench): Promise<void> {
  const { warmMs, bulkTasks } = bench.scale
  await bench.worker.tell({ do: 'consume' })
  await bench.produce({ callers, forMs: warmMs })
  // What a peer is told to stop in the middle of, it may keep for hours.
  await bench.runBacklog(60_000)
  await bench.stopConsuming()
  const startedAt = now()
  do {
    await bench.produceBulk(Math.min(passTasksMax, bulkTasks))
    await bench.store.analyze()
    await bench.emptyQueue()
  } while (now() - startedAt < warmMs)
}
