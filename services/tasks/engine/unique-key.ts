import { alreadyExists, type StatusError } from '@flowforge/runtime/status'
import type { TaskKey } from './read.ts'

/** Another task of the queue that has not finished has the unique key. */
export function uniqueKeyUsed(uniqueKey: string, holder: TaskKey): StatusError {
  const task = `projects/${holder.project}/tasks/${holder.id}`
  return alreadyExists('UNIQUE_KEY_USED', `unique key "${uniqueKey}" is used by ${task}`, { metadata: { task } })
}
