/**
 * What the harness and a programme of a contender say to each other: one JSON object a line, commands on standard input,
 * answers on file descriptor 3, one answer for each command and in their order. A programme in any language can speak it.
 */

/** Every time in it is in milliseconds since 1970, with fractions. */
export type Command =
  /** Create tasks with one call each, `callers` at a time, for `forMs` or until there are `countMax`; evenly spaced if `ratePerSecond`. */
  | { do: 'produce'; first: number; callers: number; forMs: number; countMax: number; ratePerSecond?: number }
  /** Create `count` tasks in calls of `batch`, `callers` calls at a time. `keys` is for FlowForge alone. */
  | { do: 'produceBulk'; first: number; count: number; batch: number; callers: number; keys?: Keys }
  /** Start running tasks; answered when the worker is connected. With `hold` its handlers never end. */
  | { do: 'consume'; hold?: boolean }
  /** Answered when tasks `first` to `first + count - 1` have started, or after `withinMs`. */
  | { do: 'await'; first: number; count: number; withinMs: number }
  /** Let the running tasks end and take no more; answered when that is durable. */
  | { do: 'stopConsuming' }
  /** Append to `file` what this process was told since the last time, as services/tasks/proof/history does. For FlowForge alone. */
  | { do: 'writeHistory'; file: string }
  /** Everything is closed, and the programme ends. */
  | { do: 'end' }

/** Which of `count` keys each task gets, and as what; the queue is named after that. */
export interface Keys {
  as: 'fairness' | 'concurrency'
  count: number
}

export interface Produced {
  count: number
  startedAt: number
  endedAt: number
}

/** What has happened to a range of tasks. */
export interface Runs {
  /** How many of them have started. */
  started: number
  /** How often one started that had started before. */
  repeats: number
  firstAt: number
  lastAt: number
  /** From just before each create call to the start of the handler, sorted; at most 10,000 of them. */
  latenciesMs: number[]
}

export type Answer = { ok: Produced | Runs | Record<string, never> } | { error: string }

/** What every task carries. */
export interface Payload {
  n: number
  sentAt: number
  text: string
}

/** About as much as a small real task has. */
export const text = 'x'.repeat(100)

/** Milliseconds since 1970, finer than Date.now(). */
export function now(): number {
  return performance.timeOrigin + performance.now()
}
