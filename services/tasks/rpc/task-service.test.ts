import { equal, deepEqual, match, ok } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { rejectsWith } from '../testing/rejects-with.ts'
import { startTestTasks, type TestTasks } from '../testing/tasks-service.ts'

let service: TestTasks
before(async () => {
  service = await startTestTasks()
})
after(() => service.stop())

/** Each test has a project of its own. */
function setup(t: { name: string }) {
  const parent = `projects/${t.name.replace(/[^a-z]+/g, '-').slice(0, 60)}`
  const create = (task: Partial<Task> = {}, requestId = '') =>
    service.tasks.createTask(CreateTaskRequest.fromPartial({ parent, task: { type: 'echo', ...task }, requestId }))
  return { parent, create }
}

test('a created task is READY and can be read back as it was', async (t) => {
  const { create } = setup(t)
  const created = await create({ payload: { hello: 'world', list: [1, null, true] }, labels: { a: 'b' }, priority: 7 })
  equal(created.state, 2)
  match(created.name, /^projects\/[a-z-]+\/tasks\/[0-9a-f-]{36}$/)
  const read = await service.tasks.getTask({ name: created.name })
  deepEqual(read, created)
  deepEqual(read.payload, { hello: 'world', list: [1, null, true] })
})

test('the secret that signs a webhook is for workers alone, whoever reads the task', async (t) => {
  const { create, parent } = setup(t)
  const payload = { url: 'https://example.com/', secret: 'whsec_c2VjcmV0', body: { secret: 'told' } }
  const readable = { url: 'https://example.com/', body: { secret: 'told' } }
  const created = await create({ type: 'webhook.deliver', payload })
  deepEqual(created.payload, readable)
  deepEqual((await service.tasks.getTask({ name: created.name })).payload, readable)
  const listed = await service.tasks.listTasks({ parent, pageSize: 0, pageToken: '', filter: '', orderBy: '' })
  deepEqual(listed.tasks[0]?.payload, readable)
  deepEqual((await create({ type: 'echo', payload })).payload, payload)
})

test('a task with a schedule time in the future is SCHEDULED, one in the past is READY', async (t) => {
  const { create } = setup(t)
  equal((await create({ scheduleTime: new Date(Date.now() + 60_000) })).state, 1)
  equal((await create({ scheduleTime: new Date(0) })).state, 2)
})

test('creating twice with one request ID creates once, and another task under it is refused', async (t) => {
  const { create } = setup(t)
  const first = await create({ payload: { n: 1 } }, 'once')
  deepEqual(await create({ payload: { n: 1 } }, 'once'), first)
  await rejectsWith('REQUEST_ID_REUSED', create({ payload: { n: 2 } }, 'once'))
})

test('a repeat answers as the first call did, whatever became of the task since', async (t) => {
  const { create } = setup(t)
  const uniqueKey = 'u'
  for (const task of [{ scheduleTime: new Date(Date.now() + 60_000) }, { scheduleTime: new Date(0) }, { uniqueKey }]) {
    const requestId = JSON.stringify(task)
    const first = await create({ payload: { n: 1 }, ...task }, requestId)
    const cancelled = await service.tasks.cancelTask({ name: first.name, etag: '' })
    equal(cancelled.state, 5)
    deepEqual(await create({ payload: { n: 1 }, ...task }, requestId), first)
    deepEqual(await service.tasks.getTask({ name: first.name }), cancelled)
  }
})

test('a request ID that met another task by its unique key stands for that task, as it is', async (t) => {
  const { create } = setup(t)
  const task = { uniqueKey: 'u', uniquePolicy: 2 } as const
  const first = await create(task, 'first')
  deepEqual(await create(task, 'second'), first)
  const cancelled = await service.tasks.cancelTask({ name: first.name, etag: '' })
  deepEqual(await create(task, 'second'), cancelled)
  deepEqual(await create(task, 'first'), first)
})

test('of fifty concurrent creations with one request ID exactly one creates', async (t) => {
  const { create, parent } = setup(t)
  const created = await Promise.all(Array.from({ length: 50 }, () => create({}, 'race')))
  equal(new Set(created.map((task) => task.name)).size, 1)
  equal(
    (await service.tasks.listTasks({ parent, pageSize: 0, pageToken: '', filter: '', orderBy: '' })).tasks.length,
    1,
  )
})

test('a task that breaks rules is refused with every violation at once', async (t) => {
  const { create } = setup(t)
  const error = await rejectsWith('INVALID_ARGUMENT', create({ type: 'no spaces', queue: 'No_Caps', priority: 101 }))
  const fields = error.details.flatMap((detail) =>
    detail.type === 'google.rpc.BadRequest' ? detail.value.fieldViolations.map((violation) => violation.field) : [],
  )
  deepEqual(fields, ['task.type', 'task.queue', 'task.priority'])
})

test('a payload over the limit is refused at the door', async (t) => {
  const { create } = setup(t)
  const error = await rejectsWith('INVALID_ARGUMENT', create({ payload: { text: 'x'.repeat(262_144) } }))
  match(error.message, /task.payload: has 2621\d\d bytes encoded; at most 262144 are allowed/)
})

test('a batch answers each item for itself', async (t) => {
  const { parent } = setup(t)
  const requests = ['a', 'not a type', 'b'].map((type) => CreateTaskRequest.fromPartial({ task: { type } }))
  const { results } = await service.tasks.batchCreateTasks({ parent, requests })
  deepEqual(
    results.map((result) => result.outcome?.$case),
    ['task', 'error', 'task'],
  )
  const refused = results[1]!.outcome
  match(refused?.$case === 'error' ? refused.value.message : '', /requests\[1\].task.type/)
})

test('a list is newest first, in pages that miss and repeat nothing', async (t) => {
  const { parent, create } = setup(t)
  const names: string[] = []
  for (let i = 0; i < 7; i++) names.unshift((await create()).name)
  const seen: string[] = []
  let pageToken = ''
  do {
    const page = await service.tasks.listTasks({ parent, pageSize: 3, pageToken, filter: '', orderBy: '' })
    seen.push(...page.tasks.map((task) => task.name))
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  deepEqual(seen, names)
})

test('a page token of another question is refused', async (t) => {
  const { parent, create } = setup(t)
  await Promise.all([create(), create()])
  const { nextPageToken } = await service.tasks.listTasks({
    parent,
    pageSize: 1,
    pageToken: '',
    filter: '',
    orderBy: '',
  })
  ok(nextPageToken)
  await rejectsWith(
    'INVALID_ARGUMENT',
    service.tasks.listTasks({ parent, pageSize: 1, pageToken: nextPageToken, filter: 'type = echo', orderBy: '' }),
  )
})

test('a filter finds tasks by state, queue, type, priority, time and label', async (t) => {
  const { parent, create } = setup(t)
  await create({ type: 'a', queue: 'mail', priority: 5, labels: { tenant: 'x' } })
  await create({ type: 'b', scheduleTime: new Date(Date.now() + 60_000) })
  const typesOf = async (filter: string) =>
    (await service.tasks.listTasks({ parent, pageSize: 0, pageToken: '', filter, orderBy: 'create_time' })).tasks
      .map((task) => task.type)
      .join('')
  equal(await typesOf('state = SCHEDULED'), 'b')
  equal(await typesOf('queue = "mail"'), 'a')
  equal(await typesOf('queue != "mail"'), 'b')
  equal(await typesOf('queue = "never-used"'), '')
  equal(await typesOf('priority >= 5 OR type = b'), 'ab')
  equal(await typesOf('labels.tenant = "x"'), 'a')
  equal(await typesOf('labels.tenant != "x"'), 'b')
  equal(await typesOf('NOT (type = a) AND create_time > "2020-01-01T00:00:00Z"'), 'b')
  equal(await typesOf('create_time < "2020-01-01T00:00:00Z"'), '')
})

test('a filter that makes no sense is refused, saying where', async (t) => {
  const { parent } = setup(t)
  for (const filter of [
    'colour = red',
    'state = BLUE',
    'type =',
    '(type = a',
    'type ~ a',
    'priority = many',
    'queue > a',
    'create_time > yesterday',
  ])
    await rejectsWith(
      'INVALID_ARGUMENT',
      service.tasks.listTasks({ parent, pageSize: 0, pageToken: '', filter, orderBy: '' }),
    )
})

test('a waiting task is CANCELLED at once, and cancelling again changes nothing', async (t) => {
  const { create } = setup(t)
  const { name } = await create()
  const cancelled = await service.tasks.cancelTask({ name, etag: '' })
  equal(cancelled.state, 5)
  ok(cancelled.finishTime)
  deepEqual(await service.tasks.cancelTask({ name, etag: '' }), cancelled)
})

test('a cancelled task can be redriven, and a READY one may be', async (t) => {
  const { create } = setup(t)
  const { name } = await create()
  await service.tasks.cancelTask({ name, etag: '' })
  equal((await service.tasks.retryTask({ name, etag: '' })).state, 2)
  equal((await service.tasks.retryTask({ name, etag: '' })).state, 2)
})

test('a change that names an old etag is refused and does nothing', async (t) => {
  const { create } = setup(t)
  const { name } = await create()
  await rejectsWith('ETAG_MISMATCH', service.tasks.cancelTask({ name, etag: '99' }))
  await rejectsWith('ETAG_MISMATCH', service.tasks.deleteTask({ name, etag: 'nonsense' }))
  equal((await service.tasks.getTask({ name })).state, 2)
})

test('a deleted task is gone', async (t) => {
  const { create } = setup(t)
  const { name } = await create()
  await service.tasks.deleteTask({ name, etag: '' })
  await rejectsWith('NOT_FOUND', service.tasks.getTask({ name }))
  await rejectsWith('NOT_FOUND', service.tasks.deleteTask({ name, etag: '' }))
})

test('a name that is none is refused, one that nothing has is not found', async (t) => {
  const { parent } = setup(t)
  await rejectsWith('INVALID_ARGUMENT', service.tasks.getTask({ name: 'tasks/1' }))
  await rejectsWith('INVALID_ARGUMENT', service.tasks.getTask({ name: `${parent}/tasks/1` }))
  await rejectsWith(
    'NOT_FOUND',
    service.tasks.getTask({ name: `${parent}/tasks/00000000-0000-7000-8000-000000000000` }),
  )
})

test('a queue is counted exactly, can be paused, and keeps what it is told to', async (t) => {
  const { parent, create } = setup(t)
  await create({ queue: 'mail' })
  await create({ queue: 'mail' })
  await create({ queue: 'mail', scheduleTime: new Date(Date.now() + 60_000) })
  const name = `${parent}/queues/mail`
  const queue = await service.queues.getQueue({ name })
  deepEqual([queue.scheduledCount, queue.readyCount, queue.runningCount, queue.deadCount], [1n, 2n, 0n, 0n])
  ok(queue.oldestReadyTime)
  await service.queues.pauseQueue({ name })
  const lease = { parent, worker: 'w', queues: [], types: [], maxTasks: 10, wait: undefined, leaseDuration: undefined }
  equal((await service.workers.leaseTasks(lease)).tasks.length, 0)
  await service.queues.resumeQueue({ name })
  equal((await service.workers.leaseTasks(lease)).tasks.length, 2)
  const kept = await service.queues.updateQueue({
    queue: { ...queue, retention: { seconds: 3600n, nanos: 0 } },
    updateMask: ['retention'],
  })
  equal(kept.retention?.seconds, 3600n)
  equal((await service.queues.listQueues({ parent, pageSize: 0, pageToken: '' })).queues.length, 1)
})
