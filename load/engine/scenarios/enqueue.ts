import type { Bench } from '../bench.ts'

/** Producers that create one durable task a call, as fast as they are answered. */
export async function enqueue(bench: Bench): Promise<void> {
  const { enqueueMs } = bench.scale
  const { result, cost } = await bench.costOf('enqueue10', () => bench.produce({ callers: 10, forMs: enqueueMs }))
  await bench.expectBacklogStored()
  bench.report('enqueue10', rateOf(result))
  if (cost.cpuMs !== undefined) bench.report('enqueue10CpuUs', (cost.cpuMs * 1000) / result.count)
  const crowd = await bench.costOf('enqueue100', () => bench.produce({ callers: 100, forMs: enqueueMs }))
  await bench.expectBacklogStored()
  bench.report('enqueue100', rateOf(crowd.result))
  const { transactions } = crowd.cost
  if (transactions !== undefined) bench.report('enqueue100Commits', transactions / crowd.result.count)
}

function rateOf({ count, startedAt, endedAt }: { count: number; startedAt: number; endedAt: number }): number {
  return (count * 1000) / (endedAt - startedAt)
}
