/** Turns what was seen of a run into figures, and the figures into a verdict. */
import { quantile } from '@flowforge/load/report/statistics'
import type { Experiment, Traffic } from './experiment.ts'
import type { Judgement } from './judge.ts'
import type { Measured } from './local/scene.ts'
import { series, type Bucket, type Try } from './observe/series.ts'
import { isSteady, recoveredAfter } from './observe/steady-state.ts'
import type { Moment } from './observe/watch.ts'
import type { Figures, Verdict } from './results.ts'
import { phases } from './experiment.ts'

export interface Observed {
  experiment: Experiment
  traffic: Traffic
  producer: { tries: Try[]; resent: number }
  judgement: Judgement
  watch: { unready: Moment[]; exceeded: string[]; looks: number }
  fault: { fromMs: number; untilMs: number; isAborted: boolean }
  moments: Moment[]
  measured: Measured
  /** When the last task was due. */
  endedMs: number
  /** The wall clock's time at the run's zero, to place what the database has written down. */
  epochMs: number
  unanswered: number
}

/** The steady state must be there again for this long to count. */
const staysMs = 2_000

export function evaluate(observed: Observed): { verdict: Verdict; why: string[]; figures: Figures; buckets: Bucket[] } {
  const { experiment, traffic, producer, judgement, fault, endedMs, epochMs } = observed
  const finishedMs = judgement.finishedAt.map((at) => at - epochMs)
  const buckets = series(producer.tries, finishedMs, endedMs)
  const errors = producer.tries.filter(isError)
  const recoverMs = recoveredAfter(buckets, fault.untilMs, traffic.ratePerSecond, staysMs)
  const isDuring = ({ dueMs }: Try) => dueMs >= fault.fromMs && dueMs <= fault.untilMs + (recoverMs ?? endedMs)
  const during = producer.tries.filter(isDuring)
  const detected = detection(observed)
  const figures: Figures = {
    tries: producer.tries.length,
    errors: errors.length,
    resent: producer.resent,
    statuses: countStatuses(errors),
    errorShare: share(errors.length, producer.tries.length),
    errorShareDuring: share(during.filter(isError).length, during.length),
    p95BeforeMs: p95(producer.tries.filter(({ dueMs }) => dueMs > phases.warmUpMs && dueMs < fault.fromMs)),
    p95DuringMs: p95(during),
    p99DuringMs: latency(during, 0.99),
    p95AfterMs: p95(producer.tries.filter(({ dueMs }) => dueMs > endedMs - phases.calmMs)),
    detectMs: detected && Math.round(detected.atMs - fault.fromMs),
    detectedBy: detected?.what,
    recoverMs: recoverMs && Math.round(recoverMs),
    tasks: judgement.tasks,
    lostAttempts: judgement.lostAttempts,
    refusedOutcomes: judgement.refusedOutcomes,
    dead: judgement.dead,
    limitChecks: observed.watch.looks,
    ...observed.measured,
  }
  const why = [...broken(observed, figures, buckets)]
  const verdict = fault.isAborted ? 'aborted' : why.length > 0 ? 'broken' : 'held'
  if (fault.isAborted) why.unshift('the abort rule ended the fault early')
  return { verdict, why, figures, buckets: buckets.map(rounded) }

  function* broken({ watch, unanswered }: Observed, seen: Figures, seenBuckets: Bucket[]): Iterable<string> {
    const { bounds } = experiment
    yield* judgement.violations
    yield* new Set(watch.exceeded)
    if (watch.looks === 0) yield 'the limits were never looked at'
    if (unanswered > 0) yield `${unanswered} tasks were never acknowledged`
    const before = seenBuckets.filter(({ atMs, widthMs }) => atMs >= phases.warmUpMs && atMs + widthMs <= fault.fromMs)
    if (before.filter((bucket) => isSteady(bucket, traffic.ratePerSecond)).length < before.length / 2)
      yield 'there was no steady state to begin with'
    if (seen.errorShare > bounds.errorShareMax)
      yield `${percent(seen.errorShare)} of the tries failed, at most ${percent(bounds.errorShareMax)} may`
    if (bounds.p99DuringMsMax !== undefined && seen.p99DuringMs > bounds.p99DuringMsMax)
      yield `99 of 100 creations took up to ${seen.p99DuringMs} ms meanwhile, bound ${bounds.p99DuringMsMax}`
    if (seen.recoverMs === undefined) yield 'the steady state did not come back'
    else if (seen.recoverMs > bounds.recoverMsMax)
      yield `the steady state came back after ${seen.recoverMs} ms, bound ${bounds.recoverMsMax}`
    if (seen.dead !== (bounds.dead ?? 0)) yield `${seen.dead} tasks ended as dead, expected ${bounds.dead ?? 0}`
    if (bounds.lostAttemptsMax !== undefined && seen.lostAttempts > bounds.lostAttemptsMax)
      yield `${seen.lostAttempts} attempts were lost, at most ${bounds.lostAttemptsMax} may be`
    if (bounds.amplificationMax !== undefined && !((seen.amplification ?? Infinity) <= bounds.amplificationMax))
      yield `${seen.amplification} calls reached the upstream for each of a client, bound ${bounds.amplificationMax}`
    if (bounds.disconnectedShareMin !== undefined && !((seen.disconnectedShare ?? 0) >= bounds.disconnectedShareMin))
      yield `${percent(seen.disconnectedShare ?? 0)} of the slow connections were closed, at least ${percent(bounds.disconnectedShareMin)} should be`
    if ((seen.staleReads ?? 0) > 0) yield `${seen.staleReads} reads were older than the reader’s own write`
    if (bounds.admittedMax !== undefined && !((seen.admitted ?? Infinity) <= bounds.admittedMax))
      yield `${seen.admitted} requests of one principal were served, its limits allow ${bounds.admittedMax}`
    if (bounds.auditedMin !== undefined && !((seen.audited ?? 0) >= bounds.auditedMin))
      yield `${seen.audited ?? 0} calls against policy were counted, at least ${bounds.auditedMin} should be`
    if (bounds.detectMsMax !== undefined && !(seen.detectMs !== undefined && seen.detectMs <= bounds.detectMsMax))
      yield `noticed after ${seen.detectMs ?? '∞'} ms, bound ${bounds.detectMsMax}`
  }
}

/** The first sign that anything is wrong: a process that died or is not ready, an error, or a lease that was taken away. */
function detection({ producer, judgement, watch, fault, moments, epochMs }: Observed): Moment | undefined {
  const error = producer.tries.filter(isError).map(({ endedMs, status }) => ({ atMs: endedMs, what: status }))
  const loss =
    judgement.firstLossAt === undefined ? [] : [{ atMs: judgement.firstLossAt - epochMs, what: 'a lease ended' }]
  const deaths = moments.filter(({ what }) => what.includes('exited'))
  const signs = [...error, ...loss, ...deaths, ...watch.unready].filter(({ atMs }) => atMs >= fault.fromMs)
  return signs.toSorted((a, b) => a.atMs - b.atMs)[0]
}

function isError({ status }: Try): boolean {
  return status !== 'OK'
}

function countStatuses(errors: Try[]): Record<string, number> {
  return Object.fromEntries(
    [...Map.groupBy(errors, ({ status }) => status)].map(([status, all]) => [status, all.length]),
  )
}

function p95(tries: Try[]): number {
  return latency(tries, 0.95)
}

function latency(tries: Try[], part: number): number {
  const latencies = tries
    .filter((one) => !isError(one))
    .map(({ dueMs, endedMs }) => endedMs - dueMs)
    .sort((a, b) => a - b)
  return latencies.length === 0 ? 0 : Math.round(quantile(latencies, part))
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : Number((part / whole).toFixed(5))
}

function percent(part: number): string {
  return `${(part * 100).toFixed(2)} %`
}

function rounded(bucket: Bucket): Bucket {
  return { ...bucket, atMs: Math.round(bucket.atMs) }
}
