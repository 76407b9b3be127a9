/**
 * The states of a task and every legal arrow between them; docs/lifecycle.md draws it.
 *
 * SCHEDULED ─► READY ─► RUNNING ─► SUCCEEDED
 *     ▲          ▲         │  └──► CANCELLED, DEAD
 *     └──────────┴─────────┘       (redrive leads back to READY)
 */
import { AttemptOutcome, TaskState } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'

export const SCHEDULED = TaskState.TASK_STATE_SCHEDULED
export const READY = TaskState.TASK_STATE_READY
export const RUNNING = TaskState.TASK_STATE_RUNNING
export const SUCCEEDED = TaskState.TASK_STATE_SUCCEEDED
export const CANCELLED = TaskState.TASK_STATE_CANCELLED
export const DEAD = TaskState.TASK_STATE_DEAD

export const Outcome = {
  succeeded: AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED,
  failed: AttemptOutcome.ATTEMPT_OUTCOME_FAILED,
  cancelled: AttemptOutcome.ATTEMPT_OUTCOME_CANCELLED,
  lost: AttemptOutcome.ATTEMPT_OUTCOME_LOST,
  released: AttemptOutcome.ATTEMPT_OUTCOME_RELEASED,
  timedOut: AttemptOutcome.ATTEMPT_OUTCOME_TIMED_OUT,
} as const

/** Each arrow: from, to, and the verb of engine/ that takes it. Whatever is not here cannot happen. */
export const arrows = [
  { from: 'new', to: 'SCHEDULED', by: 'create' },
  { from: 'new', to: 'READY', by: 'create' },
  { from: 'new', to: 'RUNNING', by: 'create' },
  { from: 'SCHEDULED', to: 'READY', by: 'promote' },
  { from: 'SCHEDULED', to: 'READY', by: 'redrive' },
  { from: 'SCHEDULED', to: 'READY', by: 'replace' },
  { from: 'SCHEDULED', to: 'CANCELLED', by: 'cancel' },
  { from: 'SCHEDULED', to: 'DEAD', by: 'expire' },
  { from: 'READY', to: 'RUNNING', by: 'lease' },
  { from: 'READY', to: 'SCHEDULED', by: 'replace' },
  { from: 'READY', to: 'CANCELLED', by: 'cancel' },
  { from: 'READY', to: 'DEAD', by: 'expire' },
  { from: 'RUNNING', to: 'SUCCEEDED', by: 'complete' },
  { from: 'RUNNING', to: 'SCHEDULED', by: 'settle' },
  { from: 'RUNNING', to: 'READY', by: 'settle' },
  { from: 'RUNNING', to: 'CANCELLED', by: 'settle' },
  { from: 'RUNNING', to: 'DEAD', by: 'settle' },
  { from: 'CANCELLED', to: 'READY', by: 'redrive' },
  { from: 'DEAD', to: 'READY', by: 'redrive' },
] as const

/** True for the three states that nothing but a redrive leaves. */
export function isFinished(state: number): boolean {
  return state >= SUCCEEDED
}
