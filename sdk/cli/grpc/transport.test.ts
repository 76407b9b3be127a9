import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  Client as GrpcClient,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ServiceError,
} from '@grpc/grpc-js'
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader'
import { ReflectionService } from '@grpc/reflection'
import fc from 'fast-check'
import { Task, TaskState } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import {
  TaskServiceService,
  type CreateTaskRequest,
  type TaskServiceServer,
} from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { BadRequest, ErrorInfo } from '@flowforge/proto/google/rpc/error_details.ts'
import { Status } from '@flowforge/proto/google/rpc/status.ts'
import { Client } from '@flowforge/sdk/client'
import { FlowForgeError } from '@flowforge/sdk/client-error'
import type { JsonObject, NewTask } from '@flowforge/sdk/client-resources'
import { grpcTransport } from './transport.ts'

const descriptors = readFileSync(fileURLToPath(import.meta.resolve('@flowforge/proto/descriptors.binpb')))
const created = { uid: 'u1', state: TaskState.TASK_STATE_READY, etag: 'e1' }

/** A tasks service that answers by these handlers, and a client that knows of its types by reflection alone. */
async function setup(t: TestContext, handlers: Partial<TaskServiceServer>) {
  const server = new Server()
  server.addService(TaskServiceService, handlers as TaskServiceServer)
  new ReflectionService(loadFileDescriptorSetFromBuffer(descriptors)).addToServer(server)
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  )
  const client = new Client({
    transport: grpcTransport(new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure())),
  })
  t.after(() => {
    client.close()
    server.forceShutdown()
  })
  return client
}

/** A service that creates what it is asked to, and remembers it. */
async function setupEcho(t: TestContext) {
  const seen: CreateTaskRequest[] = []
  const client = await setup(t, {
    createTask({ request }, answer) {
      seen.push(request)
      answer(null, Task.create({ ...request.task, ...created }))
    },
  })
  return { seen, client }
}

test('any JSON object survives as a payload, there and back', async (t) => {
  const { client, seen } = await setupEcho(t)
  const anyObject = fc.dictionary(fc.string(), fc.jsonValue({ noUnicodeString: false }), { noNullPrototype: true })
  await fc.assert(
    fc.asyncProperty(anyObject, async (value) => {
      const text = JSON.stringify(value)
      // The generated types of this test's server cannot hold such a key; well-known-types.test.ts shows that we can.
      fc.pre(!text.includes('__proto__'))
      const payload = JSON.parse(text) as JsonObject
      deepEqual((await client.createTask({ type: 'echo', payload })).payload, payload)
      deepEqual(seen.at(-1)?.task?.payload, payload)
    }),
    { numRuns: 100 },
  )
})

test('times, durations, labels and nested messages arrive and return as proto3 JSON has them', async (t) => {
  const { client, seen } = await setupEcho(t)
  const task: NewTask = {
    type: 'echo',
    priority: -5,
    scheduleTime: '2030-01-31T08:00:00.250Z',
    attemptTimeout: '90s',
    retryPolicy: { maxAttempts: 3, minBackoff: '0.200s', multiplier: 1.5 },
    labels: { a: '1', __proto__x: '' },
    requestId: 'r1',
  }
  deepEqual(await client.createTask(task), { ...task, uid: 'u1', state: 'TASK_STATE_READY', etag: 'e1' })
  const { task: got } = seen[0] as CreateTaskRequest
  equal(got?.scheduleTime?.toISOString(), task.scheduleTime)
  deepEqual(got?.retryPolicy?.minBackoff, { seconds: 0n, nanos: 200_000_000 })
  deepEqual(got?.labels, task.labels)
})

for (const [field, value] of [
  ['colour', 'red'],
  ['priority', 'high'],
  ['type', 7],
  ['labels', ['a']],
  ['labels', { a: 1 }],
  ['payload', [1]],
  ['scheduleTime', 'tomorrow'],
  ['scheduleTime', '2030-02-30T08:00:00'],
  ['attemptTimeout', '5m'],
] as const) {
  test(`${field} ${JSON.stringify(value)} is refused before it is sent`, async (t) => {
    const { client, seen } = await setupEcho(t)
    const task = { type: 'echo', [field]: value } as unknown as NewTask
    await rejects(client.createTask(task), { status: 'INVALID_ARGUMENT', message: new RegExp(field) })
    equal(seen.length, 0)
  })
}

test('a refusal arrives with its reason and violations', async (t) => {
  const detail = (name: string, value: Uint8Array) => ({ typeUrl: `type.googleapis.com/google.rpc.${name}`, value })
  const violation = { field: 'name', description: 'no' }
  const info = ErrorInfo.encode(ErrorInfo.create({ reason: 'TASK_FINISHED', domain: 'flowforge.dev' })).finish()
  const bad = BadRequest.encode(BadRequest.create({ fieldViolations: [violation] })).finish()
  const details = [detail('ErrorInfo', info), detail('BadRequest', bad), detail('Unknown', Buffer.from('x'))]
  const metadata = new Metadata()
  metadata.set(
    'grpc-status-details-bin',
    Buffer.from(Status.encode(Status.create({ code: 9, message: 'no', details })).finish()),
  )
  const client = await setup(t, {
    cancelTask: (_, answer) => answer({ code: status.FAILED_PRECONDITION, details: 'no', metadata } as ServiceError),
  })
  await rejects(client.cancelTask('t1'), (error: unknown) => {
    ok(error instanceof FlowForgeError)
    equal(error.status, 'FAILED_PRECONDITION')
    equal(error.reason, 'TASK_FINISHED')
    deepEqual(error.detail('google.rpc.BadRequest')?.fieldViolations, [violation])
    return true
  })
})

test('a watch is a stream that goes on where a broken one ended', async (t) => {
  const etags: string[] = []
  const client = await setup(t, {
    watchTask(call) {
      etags.push(call.request.etag)
      const isFirst = etags.length === 1
      const state = isFirst ? TaskState.TASK_STATE_RUNNING : TaskState.TASK_STATE_SUCCEEDED
      call.write({ task: Task.create({ ...created, state, etag: `e${etags.length}` }) })
      if (isFirst) call.emit('error', { code: status.UNAVAILABLE, details: 'draining' })
      else call.end()
    },
  })
  deepEqual(
    (await Array.fromAsync(client.watchTask('t1'))).map(({ state }) => state),
    ['TASK_STATE_RUNNING', 'TASK_STATE_SUCCEEDED'],
  )
  deepEqual(etags, ['', 'e1'])
})

test('a service that describes nothing is told apart from one that is not there', async (t) => {
  const server = new Server()
  const port = await new Promise<number>((resolve) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound)),
  )
  t.after(() => server.forceShutdown())
  const to = (address: string) =>
    new Client({ transport: grpcTransport(new GrpcClient(address, credentials.createInsecure())) })
  await rejects(to(`127.0.0.1:${port}`).getTask('t1'), { status: 'UNIMPLEMENTED' })
  await rejects(to('127.0.0.1:1').getTask('t1'), { status: 'UNAVAILABLE' })
})
