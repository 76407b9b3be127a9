/** Leases and outcomes, between the wire and the engine. */
import type { Failure, Lease, LeasedTask, Release } from '@flowforge/proto/opaque/flowforge/tasks/v1/worker_service.ts'
import { Status } from '@flowforge/proto/opaque/google/rpc/status.ts'
import { Code } from '@flowforge/proto/google/rpc/code.ts'
import { invalidArgument } from '@flowforge/runtime/status'
import type { LeaseKey } from '../engine/fence.ts'
import type { LeasedRow } from '../engine/lease.ts'
import { released, type Ending } from '../engine/settle.ts'
import { Outcome } from '../engine/states.ts'
import { parseTaskName, taskName } from './names.ts'
import { taskMessage } from './task-message.ts'
import { Violations } from './violations.ts'

const dayMs = 86_400_000
const messageLengthMax = 4096
const errorBytesMax = 16_384

/** The lease that a worker sent back; INVALID_ARGUMENT if it is none of ours. */
export function leaseKeyOf(lease: Lease | undefined, field = 'lease'): LeaseKey {
  if (!lease) throw invalidArgument({ field, description: 'is required' })
  return { ...parseTaskName(lease.task, `${field}.task`), attempt: lease.attempt, sessionId: lease.session }
}

export function leaseMessage(lease: LeaseKey): Lease {
  return { task: taskName(lease), attempt: lease.attempt, session: lease.sessionId }
}

export function leasedTaskMessage(row: LeasedRow, queue: string): LeasedTask {
  return {
    lease: { task: taskName(row), attempt: row.attempt, session: BigInt(row.session_id!) },
    task: taskMessage(row, queue),
    expireTime: row.lease_until,
    traceparent: row.traceparent ?? '',
  }
}

/** About how many bytes the message of a leased task has. */
export function leasedBytes(row: LeasedRow): number {
  return (row.payload?.length ?? 0) + (row.progress?.length ?? 0) + (row.error?.length ?? 0) + 4096
}

/** A reported failure as the engine records it. */
export function failureEnding(lease: LeaseKey, failure: Failure | undefined, field = 'failure'): Ending {
  const violations = new Violations()
  if (!failure?.error) violations.add(`${field}.error`, 'is required')
  const delayMs = violations.duration(`${field}.retry_after`, failure?.retryAfter, 0, dayMs)
  violations.throwIfAny()
  const error = boundedStatus(failure!.error!)
  return {
    ...lease,
    outcome: Outcome.failed,
    error: Status.encode(error).finish(),
    code: error.code,
    message: error.message,
    isPermanent: failure!.permanent,
    delayMs,
  }
}

/** A task that is given back, as the engine records it. */
export function releaseEnding(lease: LeaseKey, release: Release | undefined, field = 'release'): Ending {
  const violations = new Violations()
  const delayMs = violations.duration(`${field}.snooze`, release?.snooze, 0, dayMs)
  violations.throwIfAny()
  return { ...released(lease), delayMs, ...(release?.cancelled && { outcome: Outcome.cancelled }) }
}

/** A success whose result is too large to keep: no other attempt would help. */
export function oversizedEnding(lease: LeaseKey, bytes: number, bytesMax: number): Ending {
  const message = `the result has ${bytes} bytes encoded; at most ${bytesMax} are kept`
  const error = { code: Code.OUT_OF_RANGE, message, details: [] }
  return {
    ...lease,
    outcome: Outcome.failed,
    error: Status.encode(error).finish(),
    code: error.code,
    message,
    isPermanent: true,
    delayMs: null,
  }
}

/** What workers report of errors is theirs, but it must fit, and the database stores no NUL. */
function boundedStatus(error: Status): Status {
  const message = error.message.replaceAll('\u0000', '\ufffd').slice(0, messageLengthMax)
  const bounded = { code: error.code, message, details: error.details }
  return Status.encode(bounded).finish().length > errorBytesMax ? { ...bounded, details: [] } : bounded
}
