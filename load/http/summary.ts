/** What is printed of a scenario: rates, waiting times, what each process took, and how the backlog went. */
import { short } from '../report/numbers.ts'
import type { Measured } from './measure.ts'

const bars = '▁▂▃▄▅▆▇█'
const columnsMax = 60

/** A few lines for a terminal. */
export function summary({
  name,
  perSecond,
  errorShare,
  latencies,
  usage,
  seconds,
  backlogMax,
  drainMs,
}: Measured): string {
  const { p50, p90, p95, p99 } = latencies
  const times = `p50 ${short(p50)} p90 ${short(p90)} p95 ${short(p95)} p99 ${short(p99)} ms`
  const drained = drainMs === undefined ? '' : `, none ${(drainMs / 1_000).toFixed(1)} s after the last request`
  const taken = usage.map((one) => `${one.name} ${one.cores.toFixed(2)} cores ${one.memoryMiB} MiB`)
  return [
    `${name}: ${perSecond}/s, ${(errorShare * 100).toFixed(2)} % errors, ${times}`,
    `  ${taken.join(', ')}`,
    `  waiting ${sparkline(seconds.map(({ backlog }) => backlog))} at most ${backlogMax}${drained}`,
  ].join('\n')
}

/** Values in their order as bars from none to the most; of long series each bar is the most of several. */
export function sparkline(values: number[]): string {
  const each = Math.ceil(values.length / columnsMax)
  const columns = Array.from({ length: Math.ceil(values.length / each) }, (_, column) =>
    Math.max(...values.slice(column * each, (column + 1) * each)),
  )
  const most = Math.max(1, ...columns)
  return columns.map((value) => bars[Math.round((value / most) * (bars.length - 1))]).join('')
}
