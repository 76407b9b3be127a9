import type { Evidence } from './prove.ts'

/** The figures of a run; times in milliseconds. */
export interface Figures {
  submitted: number
  delivered: number
  retried: number
  dead: number
  createMs: Percentiles
  createToDeliveredMs: Percentiles
  /** From the first creation to the last delivery. */
  seconds: number
  deliveredPerSecond: number
  payloadBytes: number
  recovery?: Recovery
}

export interface Percentiles {
  p50: number
  p99: number
  max: number
}

/** How the tasks of a killed worker went on. */
export interface Recovery {
  interrupted: number
  /** From the kill to the next attempt of the first and the last interrupted task. */
  firstMs: number
  lastMs: number
}

/** Measures what the evidence shows. */
export function measure({ submissions, tasks, deliveries }: Evidence, killedAtMs?: number): Figures {
  const acceptedAt = new Map<number, number>()
  for (const { index, status, timeMs } of deliveries) {
    if (status === 204 && timeMs < (acceptedAt.get(index) ?? Number.POSITIVE_INFINITY)) acceptedAt.set(index, timeMs)
  }
  const waits = submissions
    .flatMap(({ index, timeMs }) => (acceptedAt.get(index) ?? Number.NaN) - timeMs)
    .filter((ms) => ms >= 0)
  const times = [...acceptedAt.values()]
  const startMs = submissions.reduce((least, { timeMs }) => Math.min(least, timeMs), Number.POSITIVE_INFINITY)
  const seconds = (times.reduce((most, timeMs) => Math.max(most, timeMs), startMs) - startMs) / 1_000
  return {
    submitted: submissions.length,
    delivered: acceptedAt.size,
    retried: tasks.filter(({ attempts = [] }) => attempts.length > 1).length,
    dead: tasks.filter(({ state }) => state === 'TASK_STATE_DEAD').length,
    createMs: percentiles(submissions.map(({ createMs }) => createMs)),
    createToDeliveredMs: percentiles(waits),
    seconds: round(seconds),
    deliveredPerSecond: Math.round(acceptedAt.size / Math.max(seconds, 0.001)),
    payloadBytes: submissions.reduce((sum, { sample }) => sum + Buffer.byteLength(sample.body), 0),
    ...(killedAtMs === undefined ? {} : { recovery: recovery(tasks, killedAtMs) }),
  }
}

function recovery(tasks: Evidence['tasks'], killedAtMs: number): Recovery {
  const waits = tasks.flatMap(({ attempts = [] }) => {
    const lost = attempts.findIndex(({ outcome }) => outcome === 'ATTEMPT_OUTCOME_LOST')
    const next = lost === -1 ? undefined : attempts[lost + 1]?.startTime
    return next === undefined ? [] : [Date.parse(next) - killedAtMs]
  })
  const { max } = percentiles(waits)
  return {
    interrupted: waits.length,
    firstMs: waits.length ? Math.round(Math.min(...waits)) : 0,
    lastMs: Math.round(max),
  }
}

function percentiles(values: number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0)
  return { p50: at(0.5), p99: at(0.99), max: round(sorted.at(-1) ?? 0) }
}

function round(value: number): number {
  return Number(value.toFixed(value < 10 ? 2 : 1))
}
