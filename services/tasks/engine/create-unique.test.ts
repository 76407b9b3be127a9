import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Queue } from '@flowforge/proto/flowforge/tasks/v1/queue_service.ts'
import { Task, UniquePolicy } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { LeaseTasksRequest } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { fromRpcStatus } from '@flowforge/runtime/status'
import { rejectsWith } from '../testing/rejects-with.ts'
import { startTestTasks, type TestTasks } from '../testing/tasks-service.ts'

const rejecting = UniquePolicy.UNIQUE_POLICY_REJECT
const returning = UniquePolicy.UNIQUE_POLICY_RETURN_EXISTING
const replacing = UniquePolicy.UNIQUE_POLICY_REPLACE_PENDING

let service: TestTasks
/** Another instance on the same database. */
let other: TestTasks
before(async () => {
  service = await startTestTasks()
  other = await startTestTasks({ database: service.database })
})
after(() => Promise.all([service.stop(), other.stop()]))

/** Each test has a project of its own. */
function setup(t: { name: string }) {
  const parent = `projects/${t.name.replace(/[^a-z]+/g, '-').slice(0, 60)}`
  const request = (task: Partial<Task>, requestId = '') =>
    CreateTaskRequest.fromPartial({ parent, task: { type: 'echo', uniqueKey: 'key', ...task }, requestId })
  return {
    parent,
    request,
    create: (task: Partial<Task> = {}, requestId = '') => service.tasks.createTask(request(task, requestId)),
    createElsewhere: (task: Partial<Task> = {}, requestId = '') => other.tasks.createTask(request(task, requestId)),
    lease: async (maxTasks = 100) =>
      (await service.workers.leaseTasks(LeaseTasksRequest.fromPartial({ parent, worker: 'w', maxTasks }))).tasks,
    count: async () =>
      (await service.tasks.listTasks({ parent, pageSize: 0, pageToken: '', filter: '', orderBy: '' })).tasks.length,
  }
}

const inAnHour = () => new Date(Date.now() + 3_600_000)

test('a second task with a unique key is refused, and the refusal names the first', async (t) => {
  const { create, lease } = setup(t)
  const first = await create()
  equal(first.uniqueKey, 'key')
  const error = await rejectsWith('UNIQUE_KEY_USED', create({ uniquePolicy: rejecting }))
  equal(error.metadata['task'], first.name)
  await lease()
  await rejectsWith('UNIQUE_KEY_USED', create())
})

test('a unique key is free again once its task has finished, and is of one queue', async (t) => {
  const { create } = setup(t)
  const first = await create()
  notEqual((await create({ queue: 'elsewhere' })).name, first.name)
  await service.tasks.cancelTask({ name: first.name, etag: '' })
  notEqual((await create()).name, first.name)
})

test('RETURN_EXISTING answers with the other task as it is, also while it runs', async (t) => {
  const { create, lease } = setup(t)
  const first = await create({ payload: { n: 1 } })
  deepEqual(await create({ payload: { n: 2 }, uniquePolicy: returning }), first)
  await lease()
  const running = await create({ uniquePolicy: returning })
  deepEqual([running.name, running.state], [first.name, 3])
})

test('REPLACE_PENDING gives the waiting task everything new but its name', async (t) => {
  const { create, count, lease } = setup(t)
  const first = await create({ payload: { n: 1 }, labels: { a: '1' }, scheduleTime: inAnHour() })
  const expireTime = inAnHour()
  const replaced = await create({
    payload: { n: 2 },
    labels: { b: '2' },
    priority: 9,
    expireTime,
    attemptTimeout: { seconds: 7n, nanos: 0 },
    retryPolicy: { maxAttempts: 3, minBackoff: undefined, maxBackoff: undefined, multiplier: 0 },
    uniquePolicy: replacing,
  })
  equal(replaced.name, first.name)
  notEqual(replaced.etag, first.etag)
  deepEqual(
    [
      replaced.state,
      replaced.payload,
      replaced.labels,
      replaced.priority,
      replaced.expireTime,
      replaced.retryPolicy?.maxAttempts,
    ],
    [2, { n: 2 }, { b: '2' }, 9, expireTime, 3],
  )
  deepEqual(await service.tasks.getTask({ name: first.name }), replaced)
  equal(await count(), 1)
  const [leased] = await lease()
  deepEqual(leased?.task?.payload, { n: 2 })
})

test('REPLACE_PENDING makes a task wait longer or shorter, and its new time holds', async (t) => {
  const { create, lease } = setup(t)
  await create()
  equal((await create({ scheduleTime: inAnHour(), uniquePolicy: replacing })).state, 1)
  equal((await lease()).length, 0)
  equal((await create({ uniquePolicy: replacing })).state, 2)
  equal((await lease()).length, 1)
})

test('REPLACE_PENDING leaves a running task and one of another type alone', async (t) => {
  const { create, lease } = setup(t)
  const first = await create({ payload: { n: 1 } })
  await rejectsWith('UNIQUE_KEY_USED', create({ type: 'other', uniquePolicy: replacing }))
  await lease()
  const error = await rejectsWith('UNIQUE_KEY_USED', create({ payload: { n: 2 }, uniquePolicy: replacing }))
  equal(error.metadata['task'], first.name)
  deepEqual((await service.tasks.getTask({ name: first.name })).payload, { n: 1 })
})

test('a replaced task gives up its concurrency slot when it waits longer, and takes one when it is READY', async (t) => {
  const { create, lease } = setup(t)
  await create({ concurrencyKey: 'k' })
  const second = await create({ uniqueKey: 'second', concurrencyKey: 'k' })
  await create({ scheduleTime: inAnHour(), uniquePolicy: replacing })
  const running = await lease()
  deepEqual(
    running.map(({ task }) => task!.name),
    [second.name],
  )
  const back = await create({ uniquePolicy: replacing })
  equal((await lease()).length, 0)
  const { lease: held } = running[0]!
  await service.workers.completeTask({ name: held!.task, lease: held, result: undefined })
  deepEqual(
    (await lease()).map(({ task }) => task!.name),
    [back.name],
  )
})

test('replacing again and again does not cost a task its turn', async (t) => {
  const { create, lease } = setup(t)
  const first = await create({ fairnessKey: 'a' })
  await create({ uniqueKey: 'second', fairnessKey: 'a' })
  for (let i = 0; i < 5; i++) await create({ uniquePolicy: replacing })
  equal((await lease(1))[0]?.task?.name, first.name)
})

test('what is refused does not cost its fairness key a turn', async (t) => {
  const { create, lease } = setup(t)
  await create({ fairnessKey: 'a' })
  for (let i = 0; i < 10; i++) await rejectsWith('UNIQUE_KEY_USED', create({ fairnessKey: 'a' }))
  const next = await create({ uniqueKey: 'next', fairnessKey: 'a' })
  for (let i = 0; i < 5; i++) await create({ uniqueKey: `b${i}`, fairnessKey: 'b' })
  const order = (await lease(4)).map(({ task }) => task!.name)
  ok(order.includes(next.name))
})

test('of fifty concurrent creations with one key at two instances exactly one creates', async (t) => {
  const { create, createElsewhere, count } = setup(t)
  const all = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => (i % 2 ? create() : createElsewhere())))
  equal(all.filter(({ status }) => status === 'fulfilled').length, 1)
  equal(await count(), 1)
})

test('of fifty concurrent replacements at two instances one task remains, with the payload of one of them', async (t) => {
  const { create, createElsewhere, count, lease } = setup(t)
  const all = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      (n % 2 ? create : createElsewhere)({ payload: { n }, uniquePolicy: replacing }),
    ),
  )
  equal(new Set(all.map(({ name }) => name)).size, 1)
  equal(await count(), 1)
  const [leased] = await lease()
  ok(Number(leased?.task?.payload?.['n']) < 50)
})

test('two tasks of one batch with the same key meet as in two calls', async (t) => {
  const { parent, request } = setup(t)
  const { results } = await service.tasks.batchCreateTasks({
    parent,
    requests: [
      request({ payload: { n: 1 } }),
      request({ payload: { n: 2 } }),
      request({ payload: { n: 3 }, uniquePolicy: replacing }),
      request({ payload: { n: 4 }, uniquePolicy: returning }),
      request({ uniqueKey: 'free' }),
      request({ uniqueKey: '' }),
    ],
  })
  const outcomes = results.map(({ outcome }) => outcome!)
  const names = outcomes.map((outcome) => (outcome.$case === 'task' ? outcome.value.name : ''))
  const [first, refused] = outcomes
  equal(first?.$case, 'task')
  equal(refused?.$case === 'error' && fromRpcStatus(refused.value).metadata['task'], names[0])
  deepEqual([names[2], names[3]], [names[0], names[0]])
  equal(new Set([names[0], names[4], names[5]]).size, 3)
  deepEqual((await service.tasks.getTask({ name: names[0]! })).payload, { n: 3 })
})

test('a repeated request with a unique key is answered with the task that it made, finished or not', async (t) => {
  const { create } = setup(t)
  const first = await create({}, 'once')
  equal((await create({}, 'once')).name, first.name)
  await rejectsWith('REQUEST_ID_REUSED', create({ uniqueKey: 'another' }, 'once'))
  await service.tasks.cancelTask({ name: first.name, etag: '' })
  equal((await create({}, 'once')).name, first.name)
})

test('a refused creation leaves its request ID free', async (t) => {
  const { create } = setup(t)
  const first = await create()
  await rejectsWith('UNIQUE_KEY_USED', create({}, 'later'))
  await service.tasks.cancelTask({ name: first.name, etag: '' })
  const second = await create({}, 'later')
  notEqual(second.name, first.name)
  equal((await create({}, 'later')).name, second.name)
})

test('a repeated replacement replaces once', async (t) => {
  const { create } = setup(t)
  const { name } = await create()
  await create({ payload: { n: 1 }, uniquePolicy: replacing }, 'one')
  await create({ payload: { n: 2 }, uniquePolicy: replacing }, 'two')
  equal((await create({ payload: { n: 1 }, uniquePolicy: replacing }, 'one')).name, name)
  deepEqual((await service.tasks.getTask({ name })).payload, { n: 2 })
})

test('of twenty concurrent creations with one key and one request ID all get the same task', async (t) => {
  const { create, createElsewhere } = setup(t)
  const all = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? create : createElsewhere)({}, 'once')))
  equal(new Set(all.map(({ name }) => name)).size, 1)
})

test('a task whose unique key another one has cannot be redriven', async (t) => {
  const { create } = setup(t)
  const first = await create()
  await service.tasks.cancelTask({ name: first.name, etag: '' })
  const second = await create()
  const error = await rejectsWith('UNIQUE_KEY_USED', service.tasks.retryTask({ name: first.name, etag: '' }))
  equal(error.metadata['task'], second.name)
  equal((await service.tasks.getTask({ name: first.name })).state, 5)
})

test('a unique key is at most 255 characters, and its policy one that exists', async (t) => {
  const { create } = setup(t)
  await create({ uniqueKey: 'k'.repeat(255) })
  await rejectsWith('INVALID_ARGUMENT', create({ uniqueKey: 'k'.repeat(256) }))
  await rejectsWith('INVALID_ARGUMENT', create({ uniquePolicy: 9 as Task['uniquePolicy'] }))
})

test('counts stay exact through replacements', async (t) => {
  const { parent, create } = setup(t)
  await create()
  await create({ scheduleTime: inAnHour(), uniquePolicy: replacing })
  const queue: Queue = await service.queues.getQueue({ name: `${parent}/queues/default` })
  deepEqual([queue.scheduledCount, queue.readyCount], [1n, 0n])
})
