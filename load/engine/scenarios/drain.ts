import type { Bench } from '../bench.ts'

/** Empties the backlog, each outcome stored durably; when time runs out first, what was finished until then counts. */
export async function drain(bench: Bench): Promise<void> {
  const { bulkTasks, drainMsMax } = bench.scale
  if (bench.backlog.count < bulkTasks) await bench.produceBulk(bulkTasks - bench.backlog.count)
  await bench.store.analyze()
  const { result, cost } = await bench.costOf('drain', async () => {
    await bench.worker.tell({ do: 'consume' })
    return bench.runBacklog(drainMsMax)
  })
  const { runs, finished, endedAt } = result
  if (finished === 0) bench.fail(`nothing was finished within ${drainMsMax} ms`)
  bench.report('drain', (finished * 1000) / (endedAt - runs.firstAt))
  if (cost.cpuMs !== undefined) bench.report('drainCpuUs', (cost.cpuMs * 1000) / finished)
  bench.report('drainLogBytes', cost.bytes / finished)
  if (cost.transactions !== undefined) bench.report('drainCommits', cost.transactions / finished)
  await bench.stopConsuming()
}
