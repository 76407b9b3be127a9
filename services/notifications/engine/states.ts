import { TaskState } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import type { StoredState } from '../tables.ts'

const stored = new Map<TaskState, StoredState>([
  [TaskState.TASK_STATE_SUCCEEDED, 'SUCCEEDED'],
  [TaskState.TASK_STATE_CANCELLED, 'CANCELLED'],
  [TaskState.TASK_STATE_DEAD, 'DEAD'],
])
const states = new Map([...stored].map(([state, word]) => [word, state]))

/** The state as it is stored; undefined for one that is not final. */
export function toStoredState(state: TaskState): StoredState | undefined {
  return stored.get(state)
}

/** The state as the contract has it. */
export function toState(state: StoredState): TaskState {
  return states.get(state)!
}
