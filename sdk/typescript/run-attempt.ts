/**
 * One attempt, from lease to outcome, as a list of steps:
 *
 *   start ──► perform ──► normalise ──► (the session reports)
 *
 * `perform` ends with what the handler did; `normalise` turns that into what the protocol says.
 */
import { context, propagation, SpanKind, SpanStatusCode, trace, type Context } from '@opentelemetry/api'
import { status } from '@grpc/grpc-js'
import type { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { Outcome, type Lease } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { fromMs, toMs } from './duration.ts'
import { AttemptAbortedError, PermanentError, RetryLaterError, SnoozeError, toStatus } from './errors.ts'
import type { Log } from './log.ts'
import { toStruct, type JsonObject } from './struct.ts'

/** What a handler receives beside its task. */
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
  /** Aborted with an AttemptAbortedError by whoever owns the attempt. */
  controller: AbortController
  /** How long a handler may take to stop once its signal is aborted; then the attempt ends without it. */
  abortGraceMs: number
  progress(value: JsonObject): void
  log: Log
}

type Performance = { returned: unknown } | { threw: unknown }

const attemptTimeoutMsDefault = 300_000
const outcomeBytesMax = 3_500_000
const progressBytesMax = 256 * 1024

/** Runs an attempt to its end, and says what to report: nothing, if the lease was lost. Never rejects. */
export async function runAttempt(attempt: Attempt): Promise<{ end: AttemptEnd; outcome?: Outcome }> {
  const startedAt = performance.now()
  const parent = propagation.extract(context.active(), { traceparent: attempt.traceparent })
  const span = trace.getTracer('@flowforge/sdk').startSpan(`attempt ${attempt.task.type}`, spanOptions(attempt), parent)
  const performed = await perform(attempt, trace.setSpan(parent, span))
  const normalised = normalise(attempt, performed)
  const error = 'threw' in performed ? performed.threw : undefined
  const fields = {
    end: normalised.end,
    ms: Math.round(performance.now() - startedAt),
    ...(error !== undefined && { err: error }),
  }
  attempt.log[normalised.end === 'failed' || normalised.end === 'timed out' ? 'warn' : 'info'](fields, 'attempt ended')
  span.setAttribute('flowforge.attempt.end', normalised.end)
  if (normalised.end === 'failed' || normalised.end === 'timed out') span.setStatus({ code: SpanStatusCode.ERROR })
  span.end()
  return normalised
}

function spanOptions({ task, lease }: Attempt) {
  const attributes = { 'flowforge.task': task.name, 'flowforge.type': task.type, 'flowforge.attempt': lease.attempt }
  return { kind: SpanKind.CONSUMER, attributes }
}

/** Runs the handler, but no longer than the attempt's timeout and the grace after an abort. */
async function perform(attempt: Attempt, active: Context): Promise<Performance> {
  const { task, lease, controller, handler } = attempt
  const { signal } = controller
  if (!handler) return { threw: new Error(`this worker has no handler for type ${task.type}`) }
  const timeoutMs = task.attemptTimeout ? toMs(task.attemptTimeout) : attemptTimeoutMsDefault
  const timer = setTimeout(() => controller.abort(new AttemptAbortedError('timed out')), timeoutMs)
  const abandoned = abandonAfterAbort(attempt)
  try {
    const handled = context.with(active, async () =>
      handler(task, {
        signal,
        log: attempt.log,
        progress: reportProgress(attempt),
        attempt: lease.attempt,
        traceparent: traceparentOf(attempt, active),
      }),
    )
    return { returned: await Promise.race([handled, abandoned.promise]) }
  } catch (error) {
    return { threw: error }
  } finally {
    clearTimeout(timer)
    abandoned.stop()
  }
}

/** Rejects when the handler has ignored its aborted signal for the grace, so that it cannot hold the attempt open. */
function abandonAfterAbort({ controller: { signal }, abortGraceMs, log }: Attempt): {
  promise: Promise<never>
  stop(): void
} {
  const { promise, reject } = Promise.withResolvers<never>()
  let timer: NodeJS.Timeout | undefined
  const onAbort = () => {
    timer = setTimeout(() => {
      log.error({ abortGraceMs }, 'the handler ignores its signal; the attempt ends without it')
      reject(signal.reason)
    }, abortGraceMs)
  }
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  const stop = () => {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
  return { promise, stop }
}

function reportProgress({ progress, controller }: Attempt): HandlerContext['progress'] {
  return (value) => {
    const checked = toStruct(value, 'progress')
    const bytes = Buffer.byteLength(JSON.stringify(checked))
    if (bytes > progressBytesMax)
      throw new RangeError(`progress has ${bytes} bytes, at most ${progressBytesMax} are kept`)
    if (!controller.signal.aborted) progress(checked)
  }
}

function traceparentOf({ traceparent }: Attempt, active: Context): string {
  const carrier: { traceparent?: string } = {}
  propagation.inject(active, carrier)
  return carrier.traceparent ?? traceparent
}

function normalise(attempt: Attempt, performed: Performance): { end: AttemptEnd; outcome?: Outcome } {
  const abort = attempt.controller.signal.reason
  const reason = abort instanceof AttemptAbortedError ? abort.reason : undefined
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
