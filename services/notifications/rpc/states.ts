import type { TaskState } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import type { Finding } from '@flowforge/runtime/findings'
import { toStoredState } from '../engine/states.ts'
import type { StoredState } from '../tables.ts'

/** Judges which ends to tell: final states, none twice. */
export function statesFinding(field: string, list: TaskState[]): Finding {
  const foreign = list.findIndex((state) => toStoredState(state) === undefined)
  if (foreign >= 0) {
    const description = 'must be TASK_STATE_SUCCEEDED, TASK_STATE_CANCELLED or TASK_STATE_DEAD'
    return { field: `${field}[${foreign}]`, description }
  }
  if (new Set(list).size < list.length) return { field, description: 'must not name a state twice' }
  return undefined
}

/** The states as they are stored; `statesFinding` has judged them. */
export function toStoredStates(list: TaskState[]): StoredState[] {
  return list.flatMap((state) => toStoredState(state) ?? [])
}
