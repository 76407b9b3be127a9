/**
 * One attempt, from lease to outcome, as a list of steps:
 *
 *   start ──► perform ──► normalise ──► (the session reports)
 *
 * `perform` ends with what the handler did; `normalise` turns that into what the protocol says.
 */
import {
  context,
  isSpanContextValid,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
} from '@opentelemetry/api'
import { status } from '@grpc/grpc-js'
import type { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { Outcome, type Lease } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import type { Aborter } from './aborter.ts'
import { fromMs, toMs } from './duration.ts'
import { PermanentError, RetryLaterError, SnoozeError, toStatus } from './errors.ts'
import type { Log } from './log.ts'
import { toStruct, type JsonObject } from './struct.ts'

/** What a handler receives beside its task. Its signal and log are made when they are read, so a spread copy has none. */
export interface HandlerContext {
  /** Aborted, with an AttemptAbortedError as its reason, when the attempt should stop. Pass it to whatever you wait for. */
  signal: AbortSignal
  /** Carries the task and its trace on each line. */
  log: Log
  /** Stores how far the attempt is; the next attempt finds it in `task.progress`. Throws when JSON cannot hold it. */
  progress(value: object): void
  /** Counts from 1. */
  attempt: number
  /** W3C trace context of this attempt, to pass on; '' when the task has none. */
  traceparent: string
}

/** What a handler may return: the task's result, nothing, or a SnoozeError to run again later. */
export type HandlerResult = object | undefined | void

/**
 * Runs one attempt of a task.
 *
 * Returning is a success, even after the signal was aborted for a cancellation; throw `signal.reason` to confirm that
 * the work stopped. Attempts may repeat, so what a handler does must be safe to do twice.
 */
export type Handler = (task: Task, context: HandlerContext) => Promise<HandlerResult> | HandlerResult

/** How an attempt ended; `lost` and `released` are not counted as failures. */
export type AttemptEnd = 'succeeded' | 'failed' | 'timed out' | 'snoozed' | 'cancelled' | 'released' | 'lost'

/** One attempt about to run. */
export interface Attempt {
  task: Task
  lease: Lease
  traceparent: string
  handler: Handler | undefined
  /** With which whoever owns the attempt aborts it. */
  aborter: Aborter
  /** How long a handler may take to stop once its signal is aborted; then the attempt ends without it. */
  abortGraceMs: number
  progress(value: JsonObject): void
  /** Its lines about the attempt carry the task and its trace. */
  log: Log
}

type Performance = { returned: unknown } | { threw: unknown }

const tracer = trace.getTracer('@flowforge/sdk')

const attemptTimeoutMsDefault = 300_000
const outcomeBytesMax = 3_500_000
const progressBytesMax = 256 * 1024

/** Runs an attempt to its end, and says what to report: nothing, if the lease was lost. Never rejects. */
export async function runAttempt(attempt: Attempt): Promise<{ end: AttemptEnd; outcome?: Outcome }> {
  const startedAt = performance.now()
  const parent = parentOf(attempt)
  const span = tracer.startSpan(`attempt ${attempt.task.type}`, spanOptions(attempt), parent)
  // Without a trace the span is nobody's, and need not be carried along.
  const active = isSpanContextValid(span.spanContext()) ? trace.setSpan(parent, span) : parent
  const performed = await perform(attempt, active)
  const normalised = normalise(attempt, performed)
  const { end } = normalised
  const isFailure = end === 'failed' || end === 'timed out'
  const error = 'threw' in performed ? performed.threw : undefined
  const fields = { ...fieldsOf(attempt), end, ms: Math.round(performance.now() - startedAt) }
  attempt.log[isFailure ? 'warn' : 'info'](error === undefined ? fields : { ...fields, err: error }, 'attempt ended')
  span.setAttribute('flowforge.attempt.end', end)
  if (isFailure) span.setStatus({ code: SpanStatusCode.ERROR })
  span.end()
  return normalised
}

function parentOf({ traceparent }: Attempt): Context {
  return traceparent === '' ? context.active() : propagation.extract(context.active(), { traceparent })
}

function spanOptions({ task, lease }: Attempt) {
  const attributes = { 'flowforge.task': task.name, 'flowforge.type': task.type, 'flowforge.attempt': lease.attempt }
  return { kind: SpanKind.CONSUMER, attributes }
}

/** What the log says of an attempt on each line. */
function fieldsOf({ task, lease, traceparent }: Attempt) {
  return { task: task.name, type: task.type, attempt: lease.attempt, trace_id: traceparent.split('-')[1] }
}

/** Runs the handler, but no longer than the attempt's timeout and the grace after an abort. */
function perform(attempt: Attempt, active: Context): Promise<Performance> {
  const { task, aborter, handler, abortGraceMs } = attempt
  return new Promise((resolve) => {
    if (!handler) return resolve({ threw: new Error(`this worker has no handler for type ${task.type}`) })
    const timeoutMs = task.attemptTimeout ? toMs(task.attemptTimeout) : attemptTimeoutMsDefault
    let timer = setTimeout(() => aborter.abort('timed out'), timeoutMs)
    const end = (performed: Performance): void => {
      clearTimeout(timer)
      aborter.onAbort = undefined
      resolve(performed)
    }
    aborter.onAbort = () => {
      clearTimeout(timer)
      // A handler that ignores its aborted signal cannot hold the attempt open for longer than the grace.
      timer = setTimeout(() => {
        attempt.log.error(
          { ...fieldsOf(attempt), abortGraceMs },
          'the handler ignores its signal; the attempt ends without it',
        )
        end({ threw: aborter.error })
      }, abortGraceMs)
    }
    if (aborter.error) aborter.onAbort()
    context
      .with(active, async () => handler(task, new AttemptContext(attempt, active)))
      .then(
        (returned) => end({ returned }),
        (error: unknown) => end({ threw: error }),
      )
  })
}

/** The HandlerContext of an attempt; what many handlers never look at is made when they do. */
class AttemptContext implements HandlerContext {
  readonly attempt: number
  readonly traceparent: string
  readonly progress: HandlerContext['progress']
  readonly #attempt: Attempt
  #log: Log | undefined

  constructor(attempt: Attempt, active: Context) {
    this.attempt = attempt.lease.attempt
    this.traceparent = traceparentOf(attempt, active)
    this.progress = (value) => reportProgress(attempt, value)
    this.#attempt = attempt
  }

  get signal(): AbortSignal {
    return this.#attempt.aborter.signal
  }

  get log(): Log {
    this.#log ??= this.#attempt.log.child(fieldsOf(this.#attempt))
    return this.#log
  }
}

function reportProgress({ progress, aborter }: Attempt, value: object): void {
  const checked = toStruct(value, 'progress')
  const bytes = Buffer.byteLength(JSON.stringify(checked))
  if (bytes > progressBytesMax)
    throw new RangeError(`progress has ${bytes} bytes, at most ${progressBytesMax} are kept`)
  if (!aborter.error) progress(checked)
}

function traceparentOf({ traceparent }: Attempt, active: Context): string {
  const carrier: { traceparent?: string } = {}
  propagation.inject(active, carrier)
  return carrier.traceparent ?? traceparent
}

function normalise(attempt: Attempt, performed: Performance): { end: AttemptEnd; outcome?: Outcome } {
  const abort = attempt.aborter.error
  const reason = abort?.reason
  if (reason === 'lost') return { end: 'lost' }
  if (reason === 'timed out') return { end: 'timed out', outcome: failure(attempt.lease, abort) }
  const end = 'returned' in performed ? performed.returned : performed.threw
  if (end instanceof SnoozeError) return { end: 'snoozed', outcome: release(attempt.lease, { snoozeMs: end.afterMs }) }
  if ('returned' in performed) return succeed(attempt.lease, performed.returned)
  // What a handler throws after an abort is taken for its way of stopping.
  if (reason === 'cancelled') return { end: 'cancelled', outcome: release(attempt.lease, { cancelled: true }) }
  if (reason === 'draining') return { end: 'released', outcome: release(attempt.lease, {}) }
  return { end: 'failed', outcome: failure(attempt.lease, end) }
}

function succeed(lease: Lease, returned: unknown): { end: AttemptEnd; outcome: Outcome } {
  try {
    if (returned === undefined || returned === null)
      return { end: 'succeeded', outcome: { lease, outcome: { $case: 'success', value: { result: undefined } } } }
    const result = toStruct(returned, 'result')
    const outcome: Outcome = { lease, outcome: { $case: 'success', value: { result } } }
    const bytes = Outcome.encode(outcome).finish().byteLength
    // Larger than any message the server reads: sent, it would break the stream instead of being refused.
    if (bytes > outcomeBytesMax) throw new RangeError(`the result has ${bytes} bytes, more than any server takes`)
    return { end: 'succeeded', outcome }
  } catch (cause) {
    const reason = cause instanceof RangeError ? 'RESULT_TOO_LARGE' : 'RESULT_NOT_SERIALIZABLE'
    const error = new PermanentError((cause as Error).message, { reason, code: status.INVALID_ARGUMENT, cause })
    return { end: 'failed', outcome: failure(lease, error) }
  }
}

function failure(lease: Lease, error: unknown): Outcome {
  const permanent = error instanceof PermanentError
  const retryAfter = error instanceof RetryLaterError ? fromMs(error.afterMs) : undefined
  return { lease, outcome: { $case: 'failure', value: { error: toStatus(error), permanent, retryAfter } } }
}

function release(lease: Lease, { snoozeMs, cancelled = false }: { snoozeMs?: number; cancelled?: boolean }): Outcome {
  const snooze = snoozeMs === undefined ? undefined : fromMs(snoozeMs)
  return { lease, outcome: { $case: 'release', value: { snooze, cancelled } } }
}
