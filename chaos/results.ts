/** What a run leaves behind: chaos/results/NAME.json, from which the report is made. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Measured } from './local/scene.ts'
import type { Bucket } from './observe/series.ts'
import type { Moment } from './observe/watch.ts'

/** `held`: as predicted. `broken`: a promise or a bound was not kept. `aborted`: ended early by its rule. */
export type Verdict = 'held' | 'broken' | 'aborted' | 'skipped'

export interface Figures extends Measured {
  /** First tries of tasks in the whole run. */
  tries: number
  errors: number
  /** Tries that were sent again at once, because their connection was closed without an answer. */
  resent: number
  /** How often which status was the answer to a first try. */
  statuses: Record<string, number>
  errorShare: number
  /** From the beginning of the fault until the steady state is back, as are `p95DuringMs` and `p99DuringMs`. */
  errorShareDuring: number
  p95BeforeMs: number
  p95DuringMs: number
  p99DuringMs: number
  p95AfterMs: number
  detectMs?: number | undefined
  detectedBy?: string | undefined
  recoverMs?: number | undefined
  tasks: number
  lostAttempts: number
  refusedOutcomes: number
  dead: number
  /** Looks at the running tasks of each key, none of which may show more than its limit. */
  limitChecks: number
}

export interface Result {
  name: string
  time: string
  commit: string
  driver: 'local' | 'kubernetes'
  machine: { cpu: string; cores: number; memoryGiB: number; system: string }
  verdict: Verdict
  /** Why it did not hold, or was skipped; empty if it held. */
  why: string[]
  seconds: number
  fault: { fromMs: number; untilMs: number }
  moments: Moment[]
  figures?: Figures
  series: Bucket[]
}

const results = join(import.meta.dirname, 'results')

/** Keeps a result as the last one of its experiment and driver. */
export function writeResult(result: Result): void {
  const folder = result.driver === 'local' ? results : join(results, result.driver)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${result.name}.json`), `${JSON.stringify(result)}\n`)
}

/**
 * The last results of all experiments, on one machine or in a cluster; or those from before something was made better,
 * kept to be compared with.
 */
export function readResults(which: 'local' | 'kubernetes' | 'before'): Result[] {
  const folder = which === 'local' ? results : join(results, which)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Result)
}
