import { deepEqual, equal, ok } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { AttemptOutcome } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import type { LeasedTask, WorkRequest_Hello } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { until } from '@flowforge/runtime/testing/poll'
import { startTestTasks, type TestTasks } from '../testing/tasks-service.ts'
import { openStream } from '../testing/worker-stream.ts'

let service: TestTasks
before(async () => {
  service = await startTestTasks({ sessionTimeoutMs: 2_000, sessionGraceMs: 300 })
})
after(() => service.stop())

function setup(t: { name: string }) {
  const parent = `projects/${t.name.replace(/[^a-z]+/g, '-').slice(0, 60)}`
  return {
    parent,
    create: (type = 'echo') => service.tasks.createTask(CreateTaskRequest.fromPartial({ parent, task: { type } })),
    get: (name: string) => service.tasks.getTask({ name }),
    open: (hello?: Partial<WorkRequest_Hello>) => openStream(service, parent, hello),
  }
}

test('a worker is welcomed, gets what is READY, and its outcome is acknowledged once durable', async (t) => {
  const { create, get, open } = setup(t)
  const { name } = await create()
  const stream = open()
  const welcome = await stream.take('welcome')
  ok(welcome.session > 0n && !welcome.resumed)
  const { tasks } = await stream.take('leases')
  equal(tasks[0]?.task?.name, name)
  stream.succeed(tasks[0]!)
  equal((await stream.take('acknowledgement')).status?.code, 0)
  equal((await get(name)).state, 4)
  stream.close()
  equal((await stream.ended()).code, 0)
})

test('a worker gets no more than it has room for, and more as soon as it has', async (t) => {
  const { create, open } = setup(t)
  await Promise.all(Array.from({ length: 5 }, () => create()))
  const stream = open({ capacity: 2 })
  const taken: LeasedTask[] = []
  const gather = async (count: number): Promise<void> => {
    while (taken.length < count) taken.push(...(await stream.take('leases')).tasks)
  }
  await gather(2)
  stream.succeed(taken[0]!)
  await gather(3)
  equal(taken.length, 3)
  stream.break()
})

test('a broken stream keeps its leases for the grace, and a resumed session goes on with them', async (t) => {
  const { create, get, open } = setup(t)
  const { name } = await create()
  const first = open()
  const welcome = await first.take('welcome')
  const leased = (await first.take('leases')).tasks[0]!
  first.break()
  const second = open({ session: welcome.session, sessionToken: welcome.sessionToken, leases: [leased.lease!] })
  const again = await second.take('welcome')
  deepEqual([again.resumed, again.session], [true, welcome.session])
  second.succeed(leased)
  equal((await second.take('acknowledgement')).status?.code, 0)
  const task = await get(name)
  deepEqual([task.state, task.attempts.length], [4, 1])
  second.close()
})

test('a session cannot be resumed without its token', async (t) => {
  const { create, open } = setup(t)
  await create()
  const first = open()
  const welcome = await first.take('welcome')
  const leased = (await first.take('leases')).tasks[0]!
  const thief = open({ session: welcome.session, sessionToken: 'guess', leases: [leased.lease!] })
  equal((await thief.take('welcome')).resumed, false)
  deepEqual((await thief.take('lost')).lease, leased.lease)
  thief.break()
  first.break()
})

test('the leases of a broken stream are given to another worker after the grace', async (t) => {
  const { create, open } = setup(t)
  const { name } = await create()
  const first = open()
  await first.take('leases')
  const second = open()
  await second.take('welcome')
  const brokenMs = performance.now()
  first.break()
  const again = (await second.take('leases')).tasks[0]!
  ok(performance.now() - brokenMs < 300 + 1_500, 'grace + 1 s, and half a second for a busy machine')
  deepEqual([again.task?.name, again.lease?.attempt], [name, 2])
  equal(again.task?.attempts[0]?.outcome, 4)
  second.break()
})

test('leases that were on their way to a worker that drains and leaves go to others, and none counts as lost', async (t) => {
  const { create, get, open } = setup(t)
  const { name } = await create()
  const stream = open()
  await stream.take('leases')
  stream.send({ $case: 'drain', value: {} })
  stream.close()
  equal((await stream.ended()).code, 0)
  const other = open()
  other.succeed((await other.take('leases')).tasks[0]!)
  await other.take('acknowledgement')
  deepEqual(
    (await get(name)).attempts.map(({ outcome }) => outcome),
    [AttemptOutcome.ATTEMPT_OUTCOME_RELEASED, AttemptOutcome.ATTEMPT_OUTCOME_SUCCEEDED],
  )
  other.close()
})

test('a worker that falls silent loses its leases when its session expires, and learns it when it wakes', async (t) => {
  const { create, open } = setup(t)
  await create()
  const zombie = open()
  const leased = (await zombie.take('leases')).tasks[0]!
  const other = open()
  await other.take('welcome')
  zombie.freeze()
  const again = (await other.take('leases')).tasks[0]!
  equal(again.lease?.attempt, 2)
  const end = await zombie.ended()
  ok(end.code !== 0, 'the stream was ended')
  other.send({
    $case: 'outcomes',
    value: { outcomes: [{ lease: leased.lease, outcome: { $case: 'success', value: { result: undefined } } }] },
  })
  const refused = await other.take('acknowledgement')
  equal(refused.status?.code, 9)
  other.break()
})

test('cancelling a running task reaches its worker within a second', async (t) => {
  const { create, get, open } = setup(t)
  const { name } = await create()
  const stream = open()
  const leased = (await stream.take('leases')).tasks[0]!
  const askedMs = performance.now()
  equal((await service.tasks.cancelTask({ name, etag: '' })).cancelRequested, true)
  deepEqual((await stream.take('cancel')).lease, leased.lease)
  ok(performance.now() - askedMs < 1_000)
  stream.send({
    $case: 'outcomes',
    value: {
      outcomes: [{ lease: leased.lease, outcome: { $case: 'release', value: { snooze: undefined, cancelled: true } } }],
    },
  })
  await stream.take('acknowledgement')
  equal((await get(name)).state, 5)
  stream.close()
})

test('a draining worker gets no more leases', async (t) => {
  const { create, open } = setup(t)
  const stream = open()
  await stream.take('welcome')
  stream.send({ $case: 'drain', value: {} })
  stream.send({ $case: 'heartbeat', value: {} })
  await stream.take('heartbeatAck')
  const { name } = await create()
  const other = open()
  equal((await other.take('leases')).tasks[0]?.task?.name, name)
  equal(
    stream.received.some((message) => message.$case === 'leases'),
    false,
  )
  stream.close()
  other.break()
})

test('a stream that does not begin with a proper hello is refused', async (t) => {
  const { open } = setup(t)
  equal((await open({ capacity: 0 }).ended()).code, 3)
  equal((await open({ worker: '' }).ended()).code, 3)
  const call = service.workers.work()
  const status = new Promise<{ code: number }>((resolve) => call.on('status', resolve))
  call.on('error', () => undefined).resume()
  call.write({ message: { $case: 'heartbeat', value: {} } })
  equal((await status).code, 3)
})

test('watching shows each change and ends with the task', async (t) => {
  const { create, open } = setup(t)
  const { name } = await create()
  const states: number[] = []
  const watching = (async () => {
    for await (const { task } of service.tasks.watchTask({ name, etag: '' })) states.push(task!.state)
  })()
  await until(() => states.length === 1)
  const stream = open()
  const leased = (await stream.take('leases')).tasks[0]!
  await until(() => states.includes(3))
  stream.succeed(leased)
  await watching
  deepEqual(states, [2, 3, 4])
  stream.close()
})

test('finished tasks are streamed in an order that misses none, from any cursor', async (t) => {
  const { parent, create } = setup(t)
  const seen: string[] = []
  const stop = new AbortController()
  let cursor = ''
  const following = (async () => {
    for await (const message of service.events.streamFinishedTasks(
      { parents: [parent], cursor: '' },
      { signal: stop.signal },
    )) {
      cursor ||= message.cursor
      seen.push(...message.tasks.map((task) => task.name))
    }
  })().catch(() => undefined)
  await until(() => cursor !== '')
  const names = (await Promise.all(Array.from({ length: 20 }, () => create()))).map((task) => task.name)
  await Promise.all(names.map((name) => service.tasks.cancelTask({ name, etag: '' })))
  await until(() => seen.length === 20)
  deepEqual(seen.toSorted(), names.toSorted())
  stop.abort()
  await following
  const again: string[] = []
  for await (const message of service.events.streamFinishedTasks({ parents: [parent], cursor })) {
    again.push(...message.tasks.map((task) => task.name))
    if (again.length === 20) break
  }
  deepEqual(again, seen)
})
