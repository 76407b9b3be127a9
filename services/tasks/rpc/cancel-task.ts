import type { Task } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import type { CancelTaskRequest } from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { aborted, failedPrecondition } from '@flowforge/runtime/status'
import { CANCELLED, isFinished } from '../engine/states.ts'
import { parseTaskName, revisionOf } from './names.ts'
import { taskByName, type Tasks } from './tasks.ts'

/** CancelTask: what waits is CANCELLED now, what runs is asked to stop. */
export function cancelTask(tasks: Tasks): UnaryHandler<CancelTaskRequest, Task> {
  return async ({ name, etag }) => {
    const key = parseTaskName(name)
    const { kind } = await tasks.engine.cancel(key, revisionOf(etag))
    const task = await taskByName(tasks, key)
    if (kind === 'none') {
      if (etag !== '' && task.etag !== etag) throw etagChanged(name)
      if (isFinished(task.state) && task.state !== CANCELLED)
        throw failedPrecondition('TASK_FINISHED', `${name} has finished already`)
    }
    return task
  }
}

/** Somebody else changed the task since the caller read it. */
export function etagChanged(name: string) {
  return aborted('ETAG_MISMATCH', `${name} has changed; read it again`)
}
