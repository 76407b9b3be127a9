import type { DeleteTaskRequest } from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import type { Empty } from '@flowforge/proto/opaque/google/protobuf/empty.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { failedPrecondition } from '@flowforge/runtime/status'
import { deleteTask as remove } from '../engine/delete.ts'
import { etagChanged } from './cancel-task.ts'
import { parseTaskName, revisionOf } from './names.ts'
import { taskByName, type Tasks } from './tasks.ts'

/** DeleteTask: forgets a task that does not run. */
export function deleteTask(tasks: Tasks): UnaryHandler<DeleteTaskRequest, Empty> {
  return async ({ name, etag }) => {
    const key = parseTaskName(name)
    if (await remove(tasks.engine.pool, key, revisionOf(etag))) {
      tasks.engine.changes.changed(key.id)
      return {}
    }
    const task = await taskByName(tasks, key)
    if (etag !== '' && task.etag !== etag) throw etagChanged(name)
    throw failedPrecondition('TASK_RUNNING', `${name} is running; cancel it first`)
  }
}
