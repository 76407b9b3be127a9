/** A stored task as callers see it. */
import type { Duration } from '@flowforge/proto/opaque/google/protobuf/duration.ts'
import { Status } from '@flowforge/proto/opaque/google/rpc/status.ts'
import type { Attempt, RetryPolicy, Task } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import { AttemptOutcome, UniquePolicy } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import { RUNNING, SUCCEEDED } from '../engine/states.ts'
import type { AttemptColumn, RetryPolicyColumn, TaskRow } from '../tables.ts'
import { taskName } from './names.ts'

/** @param queue The queue's id as users know it. */
export function taskMessage(row: TaskRow, queue: string): Task {
  return {
    name: taskName(row),
    uid: row.id,
    type: row.type,
    queue,
    payload: row.payload ?? undefined,
    state: row.state as Task['state'],
    priority: row.priority,
    scheduleTime: row.schedule_time,
    attemptTimeout: row.attempt_timeout_ms === null ? undefined : durationOf(row.attempt_timeout_ms),
    expireTime: row.expire_time ?? undefined,
    retryPolicy: row.retry_policy ? retryPolicyOf(row.retry_policy) : undefined,
    requestId: row.request_id ?? '',
    fairnessKey: row.fairness_key ?? '',
    concurrencyKey: row.concurrency_key ?? '',
    uniqueKey: row.unique_key ?? '',
    uniquePolicy: UniquePolicy.UNIQUE_POLICY_UNSPECIFIED,
    labels: row.labels ?? {},
    attempts: attemptsOf(row),
    progress: row.progress ?? undefined,
    result: row.result ?? undefined,
    error: row.error ? Status.decode(row.error) : undefined,
    createTime: row.create_time,
    startTime: row.start_time ?? undefined,
    finishTime: row.finish_time ?? undefined,
    etag: String(row.revision),
    cancelRequested: row.cancel_requested ?? false,
  }
}

/** Milliseconds as a protobuf duration. */
export function durationOf(ms: number): Duration {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1e6 }
}

function retryPolicyOf(policy: RetryPolicyColumn): RetryPolicy {
  return {
    maxAttempts: policy.max_attempts ?? 0,
    minBackoff: policy.min_backoff_ms === undefined ? undefined : durationOf(policy.min_backoff_ms),
    maxBackoff: policy.max_backoff_ms === undefined ? undefined : durationOf(policy.max_backoff_ms),
    multiplier: policy.multiplier ?? 0,
  }
}

function attemptsOf(row: TaskRow): Attempt[] {
  const ended = row.attempts.map(endedAttempt)
  // The running attempt and the successful one are told by the task's own columns.
  if (row.state !== RUNNING && row.state !== SUCCEEDED) return ended
  const last: Attempt = {
    number: row.attempt,
    worker: row.worker ?? '',
    startTime: row.attempt_start ?? undefined,
    finishTime: row.finish_time ?? undefined,
    outcome:
      row.state === SUCCEEDED ? AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED : AttemptOutcome.ATTEMPT_OUTCOME_UNSPECIFIED,
    error: undefined,
  }
  return [...ended, last].slice(-20)
}

function endedAttempt(attempt: AttemptColumn): Attempt {
  return {
    number: attempt.number,
    worker: attempt.worker ?? '',
    startTime: new Date(attempt.start),
    finishTime: new Date(attempt.finish),
    outcome: attempt.outcome as Attempt['outcome'],
    error: attempt.code === undefined ? undefined : { code: attempt.code, message: attempt.message ?? '', details: [] },
  }
}
