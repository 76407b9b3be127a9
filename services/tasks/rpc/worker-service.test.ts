import { deepEqual, equal, ok } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { LeaseTasksRequest, type Lease } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { until } from '@flowforge/runtime/testing/poll'
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
  return {
    parent,
    create: (task: Partial<Task> = {}) =>
      service.tasks.createTask(CreateTaskRequest.fromPartial({ parent, task: { type: 'echo', ...task } })),
    async lease(options: Partial<LeaseTasksRequest> = {}) {
      return (await service.workers.leaseTasks(LeaseTasksRequest.fromPartial({ parent, worker: 'w', ...options })))
        .tasks
    },
    get: (name: string) => service.tasks.getTask({ name }),
  }
}

const seconds = (n: number) => ({ seconds: BigInt(n), nanos: 0 })
const success = (lease: Lease, result?: object) => service.workers.completeTask({ name: lease.task, lease, result })
const failure = (lease: Lease, options: { permanent?: boolean; retryAfter?: ReturnType<typeof seconds> } = {}) =>
  service.workers.failTask({
    name: lease.task,
    lease,
    failure: {
      error: { code: 13, message: 'it broke', details: [] },
      permanent: false,
      retryAfter: undefined,
      ...options,
    },
  })

test('a leased task is RUNNING, and SUCCEEDED with its result once completed', async (t) => {
  const { create, lease, get } = setup(t)
  const { name } = await create({ payload: { n: 1 } })
  const [leased] = await lease()
  equal(leased?.task?.name, name)
  deepEqual(leased?.task?.payload, { n: 1 })
  equal((await get(name)).state, 3)
  const done = await success(leased!.lease!, { answer: 42 })
  equal(done.state, 4)
  deepEqual(done.result, { answer: 42 })
  deepEqual(
    done.attempts.map(({ number, worker, outcome }) => ({ number, worker, outcome })),
    [{ number: 1, worker: 'w', outcome: 1 }],
  )
})

test('higher priority goes first, then the earlier one', async (t) => {
  const { create, lease } = setup(t)
  for (const [type, priority] of [
    ['low', -5],
    ['first', 0],
    ['second', 0],
    ['high', 9],
  ] as const)
    await create({ type, priority })
  deepEqual(
    (await lease({ maxTasks: 10 })).map((leased) => leased.task!.type),
    ['high', 'first', 'second', 'low'],
  )
})

test('a worker gets only the queues and types that it asked for', async (t) => {
  const { create, lease } = setup(t)
  await create({ type: 'a', queue: 'one' })
  await create({ type: 'b', queue: 'one' })
  await create({ type: 'a', queue: 'two' })
  const leased = await lease({ queues: ['one'], types: ['a'], maxTasks: 10 })
  deepEqual(
    leased.map(({ task }) => [task!.queue, task!.type]),
    [['one', 'a']],
  )
})

test('who waits gets a task the moment it is created', async (t) => {
  const { create, lease } = setup(t)
  const waiting = lease({ wait: seconds(20) })
  const { name } = await create()
  equal((await waiting)[0]?.task?.name, name)
})

test('a late worker cannot overwrite the attempt that replaced it', async (t) => {
  const { create, lease, get } = setup(t)
  await create()
  const [late] = await lease({ leaseDuration: seconds(2) })
  await service.database.advanceClock(2_001)
  const [current] = await lease({ worker: 'v', wait: seconds(10) })
  equal(current?.lease?.attempt, 2)
  await rejectsWith('LEASE_LOST', success(late!.lease!, { from: 'the dead' }))
  await rejectsWith('LEASE_LOST', failure(late!.lease!))
  equal((await success(current!.lease!, { from: 'the living' })).state, 4)
  await rejectsWith('LEASE_LOST', success(late!.lease!))
  const task = await get(current!.lease!.task)
  deepEqual(task.result, { from: 'the living' })
  deepEqual(
    task.attempts.map((attempt) => attempt.outcome),
    [4, 1],
  )
})

test('repeating an accepted outcome answers alike and changes nothing', async (t) => {
  const { create, lease } = setup(t)
  await create()
  const [leased] = await lease()
  const done = await success(leased!.lease!, { n: 1 })
  deepEqual(await success(leased!.lease!, { n: 1 }), done)
  await create()
  const [failed] = await lease()
  const waiting = await failure(failed!.lease!, { retryAfter: seconds(60) })
  deepEqual(await failure(failed!.lease!, { retryAfter: seconds(60) }), waiting)
})

test('a failed task waits for its backoff, runs again, and is DEAD when its attempts are used up', async (t) => {
  const { create, lease } = setup(t)
  await create({ retryPolicy: { maxAttempts: 2, minBackoff: seconds(30), maxBackoff: seconds(30), multiplier: 1 } })
  const waiting = await failure((await lease())[0]!.lease!)
  equal(waiting.state, 1)
  await service.database.advanceClock(30_000)
  const [again] = await lease({ wait: seconds(10) })
  equal(again?.lease?.attempt, 2)
  const dead = await failure(again!.lease!)
  equal(dead.state, 6)
  equal(dead.error?.message, 'it broke')
  deepEqual(
    dead.attempts.map(({ number, outcome }) => [number, outcome]),
    [
      [1, 2],
      [2, 2],
    ],
  )
})

test('a permanent failure is DEAD at once, and a redrive gives it all its attempts again', async (t) => {
  const { create, lease } = setup(t)
  await create({ retryPolicy: { maxAttempts: 2, minBackoff: seconds(0), maxBackoff: seconds(0), multiplier: 1 } })
  const dead = await failure((await lease())[0]!.lease!, { permanent: true })
  equal(dead.state, 6)
  equal((await service.tasks.retryTask({ name: dead.name, etag: '' })).state, 2)
  const [second] = await lease()
  equal(second?.lease?.attempt, 2)
  equal((await failure(second!.lease!)).state, 2)
  equal((await failure((await lease())[0]!.lease!)).state, 6)
})

test('a released task is READY at once and no failure is counted; a snoozed one waits', async (t) => {
  const { create, lease } = setup(t)
  await create({ retryPolicy: { maxAttempts: 1, minBackoff: undefined, maxBackoff: undefined, multiplier: 0 } })
  const release = async (snooze?: ReturnType<typeof seconds>) => {
    const leased = (await lease())[0]!.lease!
    return service.workers.releaseTask({ name: leased.task, lease: leased, release: { snooze, cancelled: false } })
  }
  equal((await release()).state, 2)
  const snoozed = await release(seconds(60))
  equal(snoozed.state, 1)
  equal((await service.tasks.retryTask({ name: snoozed.name, etag: '' })).state, 2)
})

test('an attempt that runs longer than its timeout is ended as timed out', async (t) => {
  const { create, lease, get } = setup(t)
  const { name } = await create({ attemptTimeout: seconds(5) })
  await lease({ leaseDuration: seconds(3600) })
  await service.database.advanceClock(5_001)
  await until(async () => (await get(name)).state !== 3)
  const task = await get(name)
  equal(task.attempts[0]?.outcome, 6)
  equal(task.error?.code, 4)
})

test('a task that loses its worker again and again is quarantined with the reason', async (t) => {
  const { create, lease, get } = setup(t)
  const { name } = await create({ attemptTimeout: seconds(86_400) })
  for (let loss = 0; loss < 5; loss++) {
    equal((await lease({ wait: seconds(20), leaseDuration: seconds(2) })).length, 1)
    await service.database.advanceClock(700_000)
  }
  await until(async () => (await get(name)).state === 6)
  const task = await get(name)
  ok(task.error?.message.startsWith('quarantined'))
  deepEqual(
    task.attempts.map((attempt) => attempt.outcome),
    [4, 4, 4, 4, 4],
  )
})

test('a task that expires before it starts is DEAD, and one that has started is not', async (t) => {
  const { create, get } = setup(t)
  const { name } = await create({ expireTime: new Date(Date.now() + 3_600_000 * 24) })
  await service.database.advanceClock(3_600_000 * 25)
  await until(async () => (await get(name)).state === 6)
  equal((await get(name)).error?.code, 4)
})

test('extending keeps a lease, tells of a cancellation and of a loss', async (t) => {
  const { parent, create, lease } = setup(t)
  await create()
  const leased = (await lease({ leaseDuration: seconds(2) }))[0]!.lease!
  const extend = async (keys: Lease[]) =>
    (await service.workers.extendLeases({ parent, leases: keys, leaseDuration: seconds(60) })).results
  await extend([leased])
  await service.database.advanceClock(10_000)
  await service.tasks.cancelTask({ name: leased.task, etag: '' })
  const [kept, lost] = await extend([leased, { ...leased, attempt: 9 }])
  deepEqual([kept?.lost, kept?.cancelRequested, lost?.lost], [false, true, true])
  const cancelled = await service.workers.releaseTask({
    name: leased.task,
    lease: leased,
    release: { snooze: undefined, cancelled: true },
  })
  equal(cancelled.state, 5)
})

test('progress reaches the next attempt', async (t) => {
  const { create, lease } = setup(t)
  await create()
  const leased = (await lease())[0]!.lease!
  await service.workers.reportProgress({ name: leased.task, lease: leased, progress: { rows: 500 } })
  await service.workers.releaseTask({ name: leased.task, lease: leased, release: undefined })
  deepEqual((await lease())[0]?.task?.progress, { rows: 500 })
})

test('a result over the limit makes the task DEAD instead of being tried for ever', async (t) => {
  const { create, lease, get } = setup(t)
  const { name } = await create()
  const leased = (await lease())[0]!.lease!
  await rejectsWith('RESULT_TOO_LARGE', success(leased, { text: 'x'.repeat(300_000) }))
  const dead = await get(name)
  equal(dead.state, 6)
  ok(dead.error?.message.includes('at most 262144'))
})

test('a lease of another task than the one named is refused', async (t) => {
  const { create, lease } = setup(t)
  const { name } = await create()
  await create()
  const [first, second] = await lease({ maxTasks: 2 })
  const other = first!.lease!.task === name ? second! : first!
  await rejectsWith('INVALID_ARGUMENT', service.workers.completeTask({ name, lease: other.lease, result: undefined }))
})
