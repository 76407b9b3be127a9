import { equal, rejects } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { TaskServiceService, type CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { grpcClient } from './grpc-client.ts'

type Create = (call: ServerUnaryCall<CreateTaskRequest, Task>, answer: sendUnaryData<Task>) => void

async function setup(t: TestContext, createTask: Create) {
  const server = new Server()
  server.addService(TaskServiceService, { createTask } as never)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    )
  })
  const client = grpcClient(TaskServiceService, { address: `127.0.0.1:${port}` })
  t.after(() => {
    client.close()
    server.forceShutdown()
  })
  return client
}

const parent = 'projects/p'
const request = (type: string): CreateTaskRequest => ({ parent, task: Task.fromPartial({ type }), requestId: '' })

test('each of many calls at a time gets its own answer, or its own error', async (t) => {
  const client = await setup(t, ({ request: { task } }, answer) => {
    if (task!.type === 'n13') answer({ code: status.NOT_FOUND, details: 'unlucky' })
    else answer(null, task!)
  })
  const calls = Array.from({ length: 50 }, (_, n) => client.createTask(request(`n${n}`)))
  await rejects(calls[13]!, { code: status.NOT_FOUND, details: 'unlucky' })
  for (const [n, call] of calls.entries()) if (n !== 13) equal((await call).type, `n${n}`)
})

test('a call can be cancelled and has an end in time', async (t) => {
  const client = await setup(t, () => undefined)
  const reason = new Error('enough')
  const controller = new AbortController()
  const cancelled = client.createTask(request('a'), { signal: controller.signal })
  controller.abort(reason)
  await rejects(cancelled, reason)
  await rejects(client.createTask(request('b'), { timeoutMs: 50 }), { code: status.DEADLINE_EXCEEDED })
})
