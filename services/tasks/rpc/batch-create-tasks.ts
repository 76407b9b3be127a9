import type {
  BatchCreateTasksRequest,
  BatchCreateTasksResponse,
  BatchCreateTasksResponse_Result,
  CreateTaskRequest,
} from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { invalidArgument, toRpcStatus } from '@flowforge/runtime/status'
import type { Created, NewTask } from '../engine/create.ts'
import type { Engine } from '../engine/engine.ts'
import type { QueueSettings } from '../engine/queue-cache.ts'
import { checkTask, type CheckedTask } from './check-task.ts'
import { newTask, traceparentOf } from './create-task.ts'
import { parseProject } from './names.ts'
import { messageOfCreated, type Tasks } from './tasks.ts'

const requestsMax = 1000

/** BatchCreateTasks: each item is checked, stored and answered for itself; the engine writes them together. */
export function batchCreateTasks(tasks: Tasks): UnaryHandler<BatchCreateTasksRequest, BatchCreateTasksResponse> {
  return async ({ parent, requests }, context) => {
    const project = parseProject(parent)
    if (requests.length === 0 || requests.length > requestsMax)
      throw invalidArgument({
        field: 'requests',
        description: `must have 1 to ${requestsMax} items, has ${requests.length}`,
      })
    const traceparent = traceparentOf(context)
    const check = ({ parent: own, task, requestId }: CreateTaskRequest, i: number): CheckedTask => {
      if (own !== '' && own !== parent)
        throw invalidArgument({ field: `requests[${i}].parent`, description: 'differs from parent' })
      return checkTask(project, task, requestId, tasks.payloadBytesMax, traceparent, `requests[${i}].`)
    }
    const checked = requests.map((request, i) => orError(() => check(request, i)))
    const stored = await storeAll(tasks.engine, project, checked)
    return { results: stored.map((result, i) => resultOf(tasks.engine, result, checked[i]!)) }
  }
}

/** Stores what is right; what is not keeps its error. */
async function storeAll(
  engine: Engine,
  project: string,
  checked: (CheckedTask | Error)[],
): Promise<(Created | Error)[]> {
  const queues = await queuesOf(engine, project, checked)
  const wanted = checked.map((one): NewTask | Error => {
    if (one instanceof Error) return one
    const queue = queues.get(one.queue)!
    return queue instanceof Error ? queue : newTask(one, queue)
  })
  const stored = await engine.createAll(wanted.filter((one): one is NewTask => !(one instanceof Error)))
  let next = 0
  return wanted.map((one) => (one instanceof Error ? one : stored[next++]!))
}

async function queuesOf(
  engine: Engine,
  project: string,
  checked: (CheckedTask | Error)[],
): Promise<Map<string, QueueSettings | Error>> {
  const names = new Set<string>()
  for (const one of checked) if (!(one instanceof Error)) names.add(one.queue)
  const made = [...names].map(async (name): Promise<[string, QueueSettings | Error]> => [
    name,
    await engine.queues.make(project, name).catch((error: Error) => error),
  ])
  return new Map(await Promise.all(made))
}

function resultOf(
  engine: Engine,
  stored: Created | Error,
  checked: CheckedTask | Error,
): BatchCreateTasksResponse_Result {
  if (stored instanceof Error || checked instanceof Error)
    return { outcome: { $case: 'error', value: toRpcStatus(stored) } }
  return { outcome: { $case: 'task', value: messageOfCreated(engine, stored, checked.queue) } }
}

function orError<T>(make: () => T): T | Error {
  try {
    return make()
  } catch (error) {
    return error as Error
  }
}
