import type { CreateTaskRequest } from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import type { Task } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import type { CallContext, UnaryHandler } from '@flowforge/runtime/server'
import { currentTraceparent } from '@flowforge/runtime/telemetry'
import { checkTask, type CheckedTask } from './check-task.ts'
import { parseProject } from './names.ts'
import { messageOf, type Tasks } from './tasks.ts'

/** CreateTask: checks the task and stores it. */
export function createTask(tasks: Tasks): UnaryHandler<CreateTaskRequest, Task> {
  return async ({ parent, task, requestId }, context) => {
    const checked = checkTask(parseProject(parent), task, requestId, tasks.payloadBytesMax, traceparentOf(context))
    return storeTask(tasks, checked)
  }
}

/** Stores a checked task; durable when it resolves. */
export async function storeTask({ engine }: Tasks, { queue, ...checked }: CheckedTask): Promise<Task> {
  const { id: queueId, isFair } = await engine.queues.make(checked.project, queue)
  const { row } = await engine.create({ ...checked, queueId, isFair: isFair || checked.fairnessKey !== null })
  return messageOf(engine, row)
}

/** The trace that the task continues when it runs: ours while tracing is on, else the caller's as it came. */
export function traceparentOf(context: CallContext): string {
  return currentTraceparent() || String(context.metadata.get('traceparent')[0] ?? '').slice(0, 128)
}
