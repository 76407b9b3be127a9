/** FlowForge as its users have it: plain gRPC with mTLS to create tasks, the SDK's worker to run them. */
import { Worker } from '@flowforge/sdk'
import { connection, type ConnectionOptions } from '@flowforge/sdk/connection'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import {
  TaskServiceClient,
  type BatchCreateTasksResponse,
  type CreateTaskRequest,
} from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { identityOf } from '@flowforge/runtime/identity'
import type { Adapter, Settings } from './adapter.ts'
import type { Keys, Payload } from './protocol.ts'

const parent = 'projects/default'
const type = 'load'

export const adapter: Adapter = {
  async producer(settings) {
    const { address, credentials, options } = connection(connectionOf(settings, 'operator'))
    const client = new TaskServiceClient(address, credentials, options)
    return {
      create: (payload) =>
        new Promise((resolve, reject) => {
          client.createTask(request(payload), (error) => (error ? reject(error) : resolve()))
        }),
      createMany: (payloads, keys) =>
        new Promise((resolve, reject) => {
          const requests = payloads.map((payload) => request(payload, keys))
          client.batchCreateTasks({ parent, requests }, (error, response) => {
            const problem = error ?? refusalIn(response)
            return problem ? reject(problem) : resolve()
          })
        }),
      close: async () => client.close(),
    }
  },
  async consumer(settings, handler) {
    const worker = new Worker({
      ...connectionOf(settings, 'worker'),
      parent,
      handlers: { [type]: (task) => handler(task.payload as unknown as Payload) },
      capacity: settings.concurrency,
    })
    await worker.start()
    return { stop: () => worker.drain(3_000) }
  },
}

function connectionOf({ address, certificates }: Settings, component: string): ConnectionOptions {
  return { address: address!, tls: { folder: `${certificates}/${component}`, serverName: identityOf('tasks') } }
}

function request(payload: Payload, keys?: Keys): CreateTaskRequest {
  const key = keys ? `key-${payload.n % keys.count}` : ''
  const fairnessKey = keys?.as === 'fairness' ? key : ''
  const concurrencyKey = keys?.as === 'concurrency' ? key : ''
  const task = Task.fromPartial({ type, payload: { ...payload }, fairnessKey, concurrencyKey })
  return { parent, task, requestId: '' }
}

function refusalIn({ results }: BatchCreateTasksResponse): Error | undefined {
  const refused = results.find(({ outcome }) => outcome?.$case !== 'task')
  return refused && new Error(`a task of a batch was refused: ${JSON.stringify(refused.outcome)}`)
}
