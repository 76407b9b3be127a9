/**
 * What a handler throws to decide about its task. Anything else that it throws is a failure:
 * the task is tried again after its backoff, until its attempts are used up.
 */
import { status } from '@grpc/grpc-js'
import { ErrorInfo } from '@flowforge/proto/google/rpc/error_details.ts'
import type { Status } from '@flowforge/proto/google/rpc/status.ts'

/** What an error may say about itself, for those who read `task.error`. */
export interface ErrorDetails {
  /** A stable word for programs, in UPPER_SNAKE_CASE. */
  reason?: string
  /** A gRPC status code. */
  code?: number
  cause?: unknown
}

/** Trying again can't help: the task becomes DEAD. */
export class PermanentError extends Error {
  override name = 'PermanentError'
  readonly reason: string
  readonly code: number

  constructor(message: string, { reason = 'PERMANENT', code = status.FAILED_PRECONDITION, cause }: ErrorDetails = {}) {
    super(message, { cause })
    this.reason = reason
    this.code = code
  }
}

/** The attempt failed and counts; the next one starts after `afterMs` (at most a day) instead of the backoff. */
export class RetryLaterError extends Error {
  override name = 'RetryLaterError'
  readonly afterMs: number
  readonly reason: string
  readonly code: number

  constructor(
    afterMs: number,
    message = 'try again later',
    { reason = 'RETRY_LATER', code = status.UNAVAILABLE, cause }: ErrorDetails = {},
  ) {
    super(message, { cause })
    this.afterMs = withinADay(afterMs)
    this.reason = reason
    this.code = code
  }
}

/** Not now: the task runs again after `afterMs` (at most a day), and the attempt does not count. May be thrown or returned. */
export class SnoozeError extends Error {
  override name = 'SnoozeError'
  readonly afterMs: number

  constructor(afterMs: number, message = 'snoozed') {
    super(message)
    this.afterMs = withinADay(afterMs)
  }
}

/** Why an attempt's signal is aborted: somebody cancelled the task, it was given to another worker, it ran too long, or the worker stops. */
export type AbortReason = 'cancelled' | 'lost' | 'timed out' | 'draining'

/** The `reason` of an attempt's signal. */
export class AttemptAbortedError extends Error {
  override name = 'AttemptAbortedError'
  readonly reason: AbortReason

  constructor(reason: AbortReason) {
    super(`the attempt was aborted: ${reason}`)
    this.reason = reason
  }
}

const messageLengthMax = 4_000
const dayMs = 86_400_000

/** The error as it is stored with the task: its message bounded, its reason among the details, no stack. */
export function toStatus(error: unknown): Status {
  const { code, reason } = classify(error)
  const message = error instanceof Error ? error.message : String(error)
  const info = ErrorInfo.create({ reason, domain: 'flowforge.dev' })
  return {
    code,
    message: message.slice(0, messageLengthMax) || 'the handler failed without a message',
    details: [{ typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo', value: ErrorInfo.encode(info).finish() }],
  }
}

/** The stable reason in a status, or '' if it has none. */
export function reasonOf(status: Status | undefined): string {
  const info = status?.details.find((detail) => detail.typeUrl.endsWith('/google.rpc.ErrorInfo'))
  return info ? ErrorInfo.decode(info.value).reason : ''
}

function classify(error: unknown): { code: number; reason: string } {
  if (error instanceof PermanentError || error instanceof RetryLaterError) return error
  if (error instanceof AttemptAbortedError) {
    return error.reason === 'timed out'
      ? { code: status.DEADLINE_EXCEEDED, reason: 'ATTEMPT_TIMEOUT' }
      : { code: status.ABORTED, reason: 'ATTEMPT_ABORTED' }
  }
  return { code: status.INTERNAL, reason: 'HANDLER_FAILED' }
}

function withinADay(afterMs: number): number {
  if (!(afterMs >= 0 && afterMs <= dayMs)) throw new RangeError(`afterMs must be from 0 to ${dayMs}, got ${afterMs}`)
  return afterMs
}
