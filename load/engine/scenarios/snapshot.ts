import pg from 'pg'
import { quantile } from '../../report/statistics.ts'
import type { Bench } from '../bench.ts'

const ratePerSecond = 800
const callers = 50
const sliceMs = 60_000

/** Somebody holds a snapshot open, so that no dead row can be cleared away: what is left of 800 tasks a second. */
export async function snapshot(bench: Bench): Promise<void> {
  await bench.worker.tell({ do: 'consume' })
  const before = await rateOver(bench, Math.min(sliceMs, bench.scale.snapshotMs))
  const holder = new pg.Client({ connectionString: bench.store.url })
  await holder.connect()
  try {
    await holder.query('begin isolation level repeatable read')
    await holder.query('select from pg_class limit 1')
    const { rate, waitsMs } = await rateOver(bench, bench.scale.snapshotMs)
    bench.report('snapshotRate', (rate * 100) / before.rate)
    bench.report('snapshotP99', quantile(waitsMs, 0.99))
  } finally {
    await holder.end()
  }
  await bench.stopConsuming()
}

/** Tasks a second from the first create call to the last outcome, and how long the last of them waited for their start. */
async function rateOver(bench: Bench, forMs: number): Promise<{ rate: number; waitsMs: number[] }> {
  let count = 0
  let startedAt = 0
  for (let left = forMs; ; left -= sliceMs) {
    const produced = await bench.produce({ callers, forMs: Math.min(sliceMs, left), ratePerSecond })
    const { runs, isComplete, endedAt } = await bench.runBacklog(60_000)
    if (!isComplete) bench.fail(`60 s after the last create call only ${runs.started} of ${produced.count} had started`)
    count += produced.count
    startedAt ||= produced.startedAt
    if (left <= sliceMs) return { rate: (count * 1000) / (endedAt - startedAt), waitsMs: runs.latenciesMs }
  }
}
