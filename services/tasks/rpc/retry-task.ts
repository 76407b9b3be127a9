import type { Task } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import type { RetryTaskRequest } from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { failedPrecondition } from '@flowforge/runtime/status'
import { READY, RUNNING } from '../engine/states.ts'
import { etagChanged } from './cancel-task.ts'
import { parseTaskName, revisionOf } from './names.ts'
import { taskByName, type Tasks } from './tasks.ts'

/** RetryTask: redrives what is dead or cancelled, and hurries what waits for its time. */
export function retryTask(tasks: Tasks): UnaryHandler<RetryTaskRequest, Task> {
  return async ({ name, etag }) => {
    const key = parseTaskName(name)
    const isRedriven = await tasks.engine.redrive(key, revisionOf(etag))
    const task = await taskByName(tasks, key)
    if (isRedriven) return task
    if (etag !== '' && task.etag !== etag) throw etagChanged(name)
    if (task.state === READY) return task
    if (task.state === RUNNING) throw failedPrecondition('TASK_RUNNING', `${name} is running`)
    throw failedPrecondition('TASK_FINISHED', `${name} has succeeded`)
  }
}
