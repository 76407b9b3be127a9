import type { CreateTaskRequest } from '@flowforge/proto/opaque/flowforge/tasks/v1/task_service.ts'
import type { Task } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import type { CallContext, UnaryHandler } from '@flowforge/runtime/server'
import { currentTraceparent } from '@flowforge/runtime/telemetry'
import type { NewTask } from '../engine/create.ts'
import type { QueueSettings } from '../engine/queue-cache.ts'
import { checkTask, type CheckedTask } from './check-task.ts'
import { parseProject } from './names.ts'
import { messageOfCreated, type Tasks } from './tasks.ts'

/** CreateTask: checks the task and stores it. */
export function createTask(tasks: Tasks): UnaryHandler<CreateTaskRequest, Task> {
  return async ({ parent, task, requestId }, context) => {
    const checked = checkTask(parseProject(parent), task, requestId, tasks.payloadBytesMax, traceparentOf(context))
    return storeTask(tasks, checked)
  }
}

/** Stores a checked task; durable when it resolves. */
export async function storeTask({ engine }: Tasks, checked: CheckedTask): Promise<Task> {
  const queue = await engine.queues.make(checked.project, checked.queue)
  return messageOfCreated(engine, await engine.create(newTask(checked, queue)), checked.queue)
}

/** A checked task in its queue, as the engine wants it. */
export function newTask(checked: CheckedTask, { id, isFair }: QueueSettings): NewTask {
  return { ...checked, queueId: id, isFair: isFair || checked.fairnessKey !== null }
}

/** The trace that the task continues when it runs: ours while tracing is on, else the caller's as it came. */
export function traceparentOf(context: CallContext): string {
  return currentTraceparent() || String(context.metadata.get('traceparent')[0] ?? '').slice(0, 128)
}
