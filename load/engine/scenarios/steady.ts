import type { Bench } from '../bench.ts'

const callers = 10

/** Ten producers with single calls while a worker runs what they create, until the last outcome is stored. */
export async function steady(bench: Bench): Promise<void> {
  await bench.worker.tell({ do: 'consume' })
  const { result, cost } = await bench.costOf('steady', async () => {
    const produced = await bench.produce({ callers, forMs: bench.scale.steadyMs })
    return { produced, ran: await bench.runBacklog(60_000) }
  })
  const { produced, ran } = result
  if (!ran.isComplete)
    bench.fail(`only ${ran.runs.started} of ${produced.count} tasks had started 60 s after the last create`)
  bench.report('steady', (produced.count * 1000) / (ran.endedAt - produced.startedAt))
  if (cost.cpuMs !== undefined) bench.report('steadyCpuUs', (cost.cpuMs * 1000) / produced.count)
  bench.report('steadyLogBytes', cost.bytes / produced.count)
  if (cost.transactions !== undefined) bench.report('steadyCommits', cost.transactions / produced.count)
  await bench.stopConsuming()
}
