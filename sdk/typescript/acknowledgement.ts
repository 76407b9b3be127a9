import { status } from '@grpc/grpc-js'
import type { Outcome } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import type { Status } from '@flowforge/proto/google/rpc/status.ts'
import { PermanentError, reasonOf, toStatus } from './errors.ts'

/** What an acknowledgement asks of the worker: nothing more, the same outcome again, or another outcome in its place. */
export type Verdict = { is: 'settled' } | { is: 'refused' } | { is: 'again' } | { is: 'replaced'; outcome: Outcome }

const transient = new Set<number>([
  status.UNAVAILABLE,
  status.ABORTED,
  status.DEADLINE_EXCEEDED,
  status.RESOURCE_EXHAUSTED,
  status.INTERNAL,
  status.UNKNOWN,
  status.CANCELLED,
])

/** True for codes after which the same message may be taken later; nothing says that it can't. */
export function isTransient(code: number): boolean {
  return transient.has(code)
}

/**
 * Judges the server's answer to an outcome.
 *
 * An outcome that the server will never take (a result that is too large, a snooze that is too long) becomes a permanent
 * failure, so that the task ends with the reason instead of being held, or run and refused for ever.
 */
export function judge(outcome: Outcome, answer: Status | undefined): Verdict {
  const code = answer?.code ?? status.OK
  if (code === status.OK) return { is: 'settled' }
  const isUntakeable = code === status.INVALID_ARGUMENT || reasonOf(answer) === 'RESULT_TOO_LARGE'
  if (isUntakeable && !isPermanentFailure(outcome))
    return { is: 'replaced', outcome: permanentFailure(outcome, answer) }
  return isTransient(code) ? { is: 'again' } : { is: 'refused' }
}

function isPermanentFailure({ outcome }: Outcome): boolean {
  return outcome?.$case === 'failure' && outcome.value.permanent
}

function permanentFailure({ lease, outcome }: Outcome, answer: Status | undefined): Outcome {
  const reason = reasonOf(answer) || 'OUTCOME_REFUSED'
  const error = toStatus(
    new PermanentError(`the ${outcome?.$case} was refused: ${answer?.message}`, { reason, code: answer?.code }),
  )
  return { lease, outcome: { $case: 'failure', value: { error, permanent: true, retryAfter: undefined } } }
}
