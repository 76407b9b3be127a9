/** FlowForge as its users have it: the SDK's client for gRPC with mTLS to create tasks, its worker to run them. */
import { Worker } from '@flowforge/sdk'
import type { ConnectionOptions } from '@flowforge/sdk/connection'
import { grpcClient } from '@flowforge/sdk/grpc-client'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { TaskServiceService, type CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { identityOf } from '@flowforge/runtime/identity'
import { Told } from '../told.ts'
import type { Adapter, Settings } from './adapter.ts'
import type { Keys, Payload } from './protocol.ts'

const parent = 'projects/default'
const type = 'load'
const told = new Told(`process ${process.pid}`)

export const adapter: Adapter = {
  writeHistory: (file) => told.writeTo(file),
  async producer(settings) {
    const client = grpcClient(TaskServiceService, connectionOf(settings, 'operator'))
    return {
      create: async (payload) => told.created(await client.createTask(request(payload))),
      async createMany(payloads, keys) {
        const requests = payloads.map((payload) => request(payload, keys))
        for (const { outcome } of (await client.batchCreateTasks({ parent, requests })).results) {
          if (outcome?.$case !== 'task') throw new Error(`a task of a batch was refused: ${JSON.stringify(outcome)}`)
          told.created(outcome.value)
        }
      },
      close: async () => client.close(),
    }
  },
  async consumer(settings, handler) {
    const worker = new Worker({
      ...connectionOf(settings, 'worker'),
      parent,
      handlers: { [type]: (task) => handler(task.payload as unknown as Payload) },
      capacity: settings.concurrency,
      onLeased: told.leased,
      onSettled: told.settled,
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
  const task = Task.fromPartial({ type, queue: keys?.as, payload: { ...payload }, fairnessKey, concurrencyKey })
  return { parent, task, requestId: '' }
}
