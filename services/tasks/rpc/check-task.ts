/** A caller's task, checked and brought into the engine's form. */
import { createHash } from 'node:crypto'
import { Task, UniquePolicy, type RetryPolicy } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import { v7 as uuid } from 'uuid'
import type { NewTask } from '../engine/create.ts'
import type { RetryPolicyColumn } from '../tables.ts'
import { idDescription, isId } from './names.ts'
import { Violations } from './violations.ts'

const dayMs = 86_400_000
const uniquePolicies = new Set<number>([
  UniquePolicy.UNIQUE_POLICY_UNSPECIFIED,
  UniquePolicy.UNIQUE_POLICY_REJECT,
  UniquePolicy.UNIQUE_POLICY_RETURN_EXISTING,
  UniquePolicy.UNIQUE_POLICY_REPLACE_PENDING,
])
const typePattern = /^[A-Za-z0-9._-]{1,128}$/

export interface CheckedTask extends Omit<NewTask, 'queueId' | 'isFair'> {
  queue: string
}

/**
 * Throws INVALID_ARGUMENT with every violation.
 *
 * @param at The path of what holds `task` in the request, for the violations.
 */
export function checkTask(
  project: string,
  task: Task | undefined,
  requestId: string,
  payloadBytesMax: number,
  traceparent: string,
  at = '',
): CheckedTask {
  const violations = new Violations(at)
  if (!task) {
    violations.add('task', 'is required')
    violations.throwIfAny()
  }
  const checked = checkFields(task!, violations, payloadBytesMax)
  if (requestId !== '' && task!.requestId !== '' && requestId !== task!.requestId)
    violations.add('request_id', 'differs from task.request_id')
  checked.requestId = violations.text('request_id', requestId || task!.requestId, 128)
  violations.throwIfAny()
  checked.project = project
  checked.fingerprint = checked.requestId === null ? null : fingerprint(task!)
  checked.traceparent = traceparent || null
  return checked
}

/** All that the task itself says; what the request says of it is empty. */
function checkFields(task: Task, violations: Violations, payloadBytesMax: number): CheckedTask {
  violations.check(typePattern.test(task.type), 'task.type', 'must be 1 to 128 characters of a-z A-Z 0-9 . _ -')
  violations.check(task.queue === '' || isId(task.queue), 'task.queue', idDescription)
  violations.check(Math.abs(task.priority) <= 100, 'task.priority', 'must be between -100 and 100')
  violations.check(uniquePolicies.has(task.uniquePolicy), 'task.unique_policy', 'is not a known policy')
  const scheduleTime = violations.time('task.schedule_time', task.scheduleTime)
  const expireTime = violations.time('task.expire_time', task.expireTime)
  if (scheduleTime && expireTime && expireTime <= scheduleTime)
    violations.add('task.expire_time', 'must be after schedule_time')
  return {
    project: '',
    id: uuid(),
    queue: task.queue || 'default',
    type: task.type,
    priority: task.priority,
    scheduleTime,
    expireTime,
    attemptTimeoutMs: violations.duration('task.attempt_timeout', task.attemptTimeout, 1000, dayMs),
    retryPolicy: task.retryPolicy ? retryPolicyOf(task.retryPolicy, violations, 'task.retry_policy.') : null,
    requestId: null,
    fingerprint: null,
    fairnessKey: violations.text('task.fairness_key', task.fairnessKey, 255),
    concurrencyKey: violations.text('task.concurrency_key', task.concurrencyKey, 255),
    uniqueKey: violations.text('task.unique_key', task.uniqueKey, 255),
    uniquePolicy: task.uniquePolicy,
    labels: labelsOf(task.labels, violations, 'task.labels'),
    traceparent: null,
    payload: violations.struct('task.payload', task.payload, payloadBytesMax),
  }
}

function retryPolicyOf(policy: RetryPolicy, violations: Violations, at: string): RetryPolicyColumn {
  violations.check(
    policy.maxAttempts >= 0 && policy.maxAttempts <= 100,
    `${at}max_attempts`,
    'must be between 1 and 100',
  )
  violations.check(
    policy.multiplier === 0 || (policy.multiplier >= 1 && policy.multiplier <= 10),
    `${at}multiplier`,
    'must be between 1 and 10',
  )
  const minBackoffMs = violations.duration(`${at}min_backoff`, policy.minBackoff, 0, dayMs)
  const maxBackoffMs = violations.duration(`${at}max_backoff`, policy.maxBackoff, 0, dayMs)
  return {
    ...(policy.maxAttempts && { max_attempts: policy.maxAttempts }),
    ...(policy.multiplier && { multiplier: policy.multiplier }),
    ...(minBackoffMs !== null && { min_backoff_ms: minBackoffMs }),
    ...(maxBackoffMs !== null && { max_backoff_ms: maxBackoffMs }),
  }
}

function labelsOf(labels: Record<string, string>, violations: Violations, at: string): Record<string, string> | null {
  const entries = Object.entries(labels)
  if (entries.length === 0) return null
  violations.check(entries.length <= 32, at, 'has more than 32 pairs')
  for (const [key, value] of entries.slice(0, 32)) {
    violations.check(
      /^[A-Za-z0-9._/-]{1,63}$/.test(key),
      at,
      `has the key "${key.slice(0, 63)}", which is not 1 to 63 characters of a-z A-Z 0-9 . _ / -`,
    )
    violations.text(`${at}.${key.slice(0, 63)}`, value, 255)
  }
  return labels
}

/** Equal for requests that ask for the same task. */
function fingerprint(task: Task): Buffer {
  const labels = Object.fromEntries(Object.entries(task.labels).sort(([a], [b]) => (a < b ? -1 : 1)))
  const {
    type,
    queue,
    payload,
    priority,
    scheduleTime,
    attemptTimeout,
    expireTime,
    retryPolicy,
    fairnessKey,
    concurrencyKey,
    uniqueKey,
    uniquePolicy,
  } = task
  const wanted = Task.fromPartial({
    type,
    queue,
    payload,
    priority,
    scheduleTime,
    attemptTimeout,
    expireTime,
    retryPolicy,
    fairnessKey,
    concurrencyKey,
    uniqueKey,
    uniquePolicy,
    labels,
  })
  return createHash('sha256').update(Task.encode(wanted).finish()).digest()
}
