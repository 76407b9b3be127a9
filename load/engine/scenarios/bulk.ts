import type { Bench } from '../bench.ts'

/** Many durable tasks to a call, four calls at a time. */
export async function bulk(bench: Bench): Promise<void> {
  const { result, cost } = await bench.costOf('bulk', () => bench.produceBulk(bench.scale.bulkTasks))
  await bench.expectBacklogStored()
  bench.report('bulk', (result.count * 1000) / (result.endedAt - result.startedAt))
  if (cost.cpuMs !== undefined) bench.report('bulkCpuUs', (cost.cpuMs * 1000) / result.count)
}
