import type { Task } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import type { GetTaskRequest } from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { parseTaskName } from './names.ts'
import { taskByName, type Tasks } from './tasks.ts'

/** GetTask: reads a task, waiting, running or finished. */
export function getTask(tasks: Tasks): UnaryHandler<GetTaskRequest, Task> {
  return async ({ name }) => taskByName(tasks, parseTaskName(name), 'refuse')
}
