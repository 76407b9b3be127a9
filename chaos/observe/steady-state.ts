/** Says of a moment whether the system does what it always should, and when it did so again. */
import type { Bucket } from './series.ts'

/** What each second of an undisturbed run shows. */
export interface SteadyState {
  /** Waiting and running tasks, in seconds' worth of arrivals. */
  backlogSecondsMax: number
  /** 95 of 100 creations are answered within this. */
  p95MsMax: number
}

/** Generous, because a busy machine with two cores must reach it. */
export const steadyState: SteadyState = { backlogSecondsMax: 2, p95MsMax: 500 }

/** Whether a moment shows the steady state: no error, answers in time, and work that keeps up with what arrives. */
export function isSteady(bucket: Bucket, ratePerSecond: number): boolean {
  const { errors, p95Ms, backlog } = bucket
  const isPrompt = p95Ms === undefined || p95Ms <= steadyState.p95MsMax
  return errors === 0 && isPrompt && backlog <= Math.max(20, steadyState.backlogSecondsMax * ratePerSecond)
}

/**
 * From `fromMs` until the steady state is there and stays until the end; undefined if that is for less than `staysMs`.
 *
 * Times are those of the buckets, in milliseconds since the run began.
 */
export function recoveredAfter(
  buckets: Bucket[],
  fromMs: number,
  ratePerSecond: number,
  staysMs: number,
): number | undefined {
  let since: number | undefined
  for (const bucket of buckets) {
    if (bucket.atMs < fromMs) continue
    if (!isSteady(bucket, ratePerSecond)) since = undefined
    else since ??= bucket.atMs
  }
  const end = buckets.at(-1)
  return since !== undefined && end && end.atMs + end.widthMs - since >= staysMs ? since - fromMs : undefined
}
