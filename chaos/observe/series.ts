/** What was seen of a run, cut into equal stretches of time. */
import { quantile } from '@flowforge/load/report/statistics'

/** One try to hand in a task. */
export interface Try {
  /** When it was due, in milliseconds since the run began; its latency counts from then. */
  dueMs: number
  endedMs: number
  /** `OK`, or the status of the refusal. */
  status: string
}

/** One stretch. */
export interface Bucket {
  atMs: number
  widthMs: number
  tries: number
  errors: number
  /** Of the creations that were answered well; undefined if none was due. */
  p50Ms: number | undefined
  p95Ms: number | undefined
  /** Tasks whose success was acknowledged to a worker. */
  finished: number
  /** Tasks that were acknowledged and had not finished at the stretch's end. */
  backlog: number
}

/** Cuts a run; `finishedMs` are the moments at which successes were acknowledged. */
export function series(tries: Try[], finishedMs: number[], untilMs: number, widthMs = 500): Bucket[] {
  const count = Math.ceil(untilMs / widthMs)
  const triesOf = Map.groupBy(tries, ({ dueMs }) => Math.floor(dueMs / widthMs))
  const createdOf = countBy(tries.filter(isGood).map(({ endedMs }) => Math.floor(endedMs / widthMs)))
  const finishedOf = countBy(finishedMs.map((ms) => Math.floor(ms / widthMs)))
  let backlog = 0
  return Array.from({ length: count }, (_, index) => {
    const own = triesOf.get(index) ?? []
    const latencies = own
      .filter(isGood)
      .map(({ dueMs, endedMs }) => endedMs - dueMs)
      .sort((a, b) => a - b)
    backlog += (createdOf.get(index) ?? 0) - (finishedOf.get(index) ?? 0)
    return {
      atMs: index * widthMs,
      widthMs,
      tries: own.length,
      errors: own.filter((one) => !isGood(one)).length,
      p50Ms: latencies.length > 0 ? Math.round(quantile(latencies, 0.5)) : undefined,
      p95Ms: latencies.length > 0 ? Math.round(quantile(latencies, 0.95)) : undefined,
      finished: finishedOf.get(index) ?? 0,
      backlog,
    }
  })
}

function isGood({ status }: Try): boolean {
  return status === 'OK'
}

function countBy(keys: number[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}
