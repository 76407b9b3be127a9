import type { Task } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import type { FailTaskRequest } from '@flowforge/proto/opaque/flowforge/tasks/v1/worker_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { ownLease } from './complete-task.ts'
import { failureEnding, leaseKeyOf } from './lease-message.ts'
import { taskByName, type Tasks } from './tasks.ts'

/** FailTask: the unary twin of a failure on a Work stream. */
export function failTask(tasks: Tasks): UnaryHandler<FailTaskRequest, Task> {
  return async ({ name, lease, failure }) => {
    const key = ownLease(name, leaseKeyOf(lease))
    await tasks.engine.settle(failureEnding(key, failure))
    return taskByName(tasks, key)
  }
}
