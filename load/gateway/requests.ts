/** The two requests of this benchmark, and what the services behind the gateways answer. */
import { hash } from 'node:crypto'
import { VerifyApiKeyResponse } from '@flowforge/proto/flowforge/accounts/v1/auth_service.ts'
import { Role } from '@flowforge/proto/flowforge/mesh/v1/policy.ts'
import { Task, TaskState } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import type { Method } from './measures.ts'

const name = 'projects/default/tasks/0192f0c1-7e57-7a11-8c0f-5ca1ab1e0001'
const payload = {
  url: 'https://example.com/hooks/orders',
  order: { id: 'ord_58213', total: 129.5, currency: 'EUR', paid: true },
}

/** As the service stores it: about 400 bytes of JSON. */
const task = Task.fromPartial({
  name,
  uid: '0192f0c1-7e57-7a11-8c0f-5ca1ab1e0001',
  type: 'webhook.deliver',
  queue: 'projects/default/queues/default',
  payload,
  state: TaskState.TASK_STATE_READY,
  createTime: new Date('2030-01-02T03:04:05.678Z'),
  scheduleTime: new Date('2030-01-02T03:04:05.678Z'),
  etag: hash('md5', 'a task', 'base64url'),
})

/** What a gateway is asked. */
export const requests: Record<Method, { method: string; path: string; body: string }> = {
  get: { method: 'GET', path: `/v1/${name}`, body: '' },
  post: {
    method: 'POST',
    path: '/v1/projects/default/tasks',
    body: JSON.stringify({ type: 'webhook.deliver', queue: 'projects/default/queues/default', payload }),
  },
}

const stored = Buffer.from(Task.encode(task).finish())
const verified = VerifyApiKeyResponse.encode({
  principal: 'projects/default/apiKeys/load',
  project: 'projects/default',
  roles: [Role.ROLE_ADMIN],
  expireTime: undefined,
}).finish()

/** By RPC, in base64; what is not here is unimplemented. */
export const answers: Record<string, string> = {
  '/flowforge.tasks.v1.TaskService/GetTask': stored.toString('base64'),
  '/flowforge.tasks.v1.TaskService/CreateTask': stored.toString('base64'),
  '/flowforge.accounts.v1.AuthService/VerifyApiKey': Buffer.from(verified).toString('base64'),
}

/** What every answer of a gateway must hold. */
export const expected = { name, type: 'webhook.deliver', payload }
