import type { Bench } from '../bench.ts'
import { quantile } from '../../report/statistics.ts'

const ratePerSecond = 100
const callers = 10

/** How long a task of a calm stream waits from its create call to the start of its handler. */
export async function latency(bench: Bench): Promise<void> {
  await bench.worker.tell({ do: 'consume' })
  await bench.produce({ callers, forMs: bench.scale.latencyMs, ratePerSecond })
  const { runs, isComplete } = await bench.runBacklog(30_000)
  if (!isComplete) bench.fail(`after 30 s only ${runs.started} tasks of a calm stream had started`)
  bench.report('latencyP50', quantile(runs.latenciesMs, 0.5))
  bench.report('latencyP99', quantile(runs.latenciesMs, 0.99))
  await bench.stopConsuming()
}
