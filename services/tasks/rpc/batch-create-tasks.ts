import type {
  BatchCreateTasksRequest,
  BatchCreateTasksResponse,
  BatchCreateTasksResponse_Result,
  CreateTaskRequest,
} from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { invalidArgument, toRpcStatus } from '@flowforge/runtime/status'
import { checkTask } from './check-task.ts'
import { storeTask, traceparentOf } from './create-task.ts'
import { parseProject } from './names.ts'
import type { Tasks } from './tasks.ts'

const requestsMax = 1000

/** BatchCreateTasks: each item is checked and stored for itself; the engine writes them together. */
export function batchCreateTasks(tasks: Tasks): UnaryHandler<BatchCreateTasksRequest, BatchCreateTasksResponse> {
  return async ({ parent, requests }, context) => {
    const project = parseProject(parent)
    if (requests.length === 0 || requests.length > requestsMax)
      throw invalidArgument({
        field: 'requests',
        description: `must have 1 to ${requestsMax} items, has ${requests.length}`,
      })
    const traceparent = traceparentOf(context)
    const create = async (request: CreateTaskRequest, i: number): Promise<BatchCreateTasksResponse_Result> => {
      try {
        if (request.parent !== '' && request.parent !== parent)
          throw invalidArgument({ field: `requests[${i}].parent`, description: 'differs from parent' })
        const checked = checkTask(
          project,
          request.task,
          request.requestId,
          tasks.payloadBytesMax,
          traceparent,
          `requests[${i}].task`,
        )
        return { outcome: { $case: 'task', value: await storeTask(tasks, checked) } }
      } catch (error) {
        return { outcome: { $case: 'error', value: toRpcStatus(error) } }
      }
    }
    return { results: await Promise.all(requests.map(create)) }
  }
}
