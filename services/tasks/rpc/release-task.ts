import type { Task } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import type { ReleaseTaskRequest } from '@flowforge/proto/opaque/flowforge/tasks/v1/worker_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { ownLease } from './complete-task.ts'
import { leaseKeyOf, releaseEnding } from './lease-message.ts'
import { taskByName, type Tasks } from './tasks.ts'

/** ReleaseTask: the unary twin of a release on a Work stream. */
export function releaseTask(tasks: Tasks): UnaryHandler<ReleaseTaskRequest, Task> {
  return async ({ name, lease, release }) => {
    const key = ownLease(name, leaseKeyOf(lease))
    await tasks.engine.settle(releaseEnding(key, release))
    return taskByName(tasks, key)
  }
}
