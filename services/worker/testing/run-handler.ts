import type { Handler, HandlerContext } from '@flowforge/sdk'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'

/** The uid of the task that `runHandler` makes. */
export const uid = '0190a5a0-0000-7000-8000-000000000001'

/** Calls a handler as the SDK does, with the payload taken over the wire. */
export async function runHandler(
  handler: Handler,
  payload: object,
  context: Partial<HandlerContext> = {},
): Promise<unknown> {
  const name = `projects/default/tasks/${uid}`
  const task = Task.decode(Task.encode(Task.fromPartial({ name, uid, type: 'test', payload })).finish())
  const nothing = () => {}
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => log }
  const { signal } = new AbortController()
  return await handler(task, { signal, log, progress: nothing, attempt: 1, traceparent: '', ...context })
}
