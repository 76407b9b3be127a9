import { deepEqual, equal, ok } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Queue } from '@flowforge/proto/flowforge/tasks/v1/queue_service.ts'
import type { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { LeaseTasksRequest, type LeasedTask } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { until } from '@flowforge/runtime/testing/poll'
import { startTestTasks, type TestTasks } from '../testing/tasks-service.ts'

let service: TestTasks
before(async () => {
  service = await startTestTasks()
})
after(() => service.stop())

/** Each test has a project of its own. */
function setup(t: { name: string }) {
  const parent = `projects/${t.name.replace(/[^a-z]+/g, '-').slice(0, 60)}`
  const request = (task: Partial<Task>) => CreateTaskRequest.fromPartial({ task: { type: 'echo', ...task } })
  return {
    parent,
    create: (task: Partial<Task> = {}) => service.tasks.createTask({ ...request(task), parent }),
    createMany: (count: number, task: Partial<Task> = {}) =>
      service.tasks.batchCreateTasks({ parent, requests: Array.from({ length: count }, () => request(task)) }),
    lease: async (maxTasks: number, wait?: number): Promise<LeasedTask[]> =>
      (
        await service.workers.leaseTasks(
          LeaseTasksRequest.fromPartial({
            parent,
            worker: 'w',
            maxTasks,
            wait: wait === undefined ? undefined : { seconds: BigInt(wait) },
          }),
        )
      ).tasks,
    configure: (settings: Partial<Queue>) =>
      service.queues.updateQueue({
        queue: Queue.fromPartial({ name: `${parent}/queues/default`, ...settings }),
        updateMask: undefined,
      }),
  }
}

const complete = ({ lease }: LeasedTask) =>
  service.workers.completeTask({ name: lease!.task, lease, result: undefined })
const keysOf = (leased: LeasedTask[]) => leased.map(({ task }) => task!.fairnessKey)

test('a queue never runs more tasks than its concurrency, and starts the next when one ends', async (t) => {
  const { configure, createMany, lease } = setup(t)
  await configure({ concurrency: 3 })
  await createMany(10)
  const running = await lease(10)
  equal(running.length, 3)
  equal((await lease(10)).length, 0)
  const waiting = lease(10, 10)
  await complete(running[0]!)
  equal((await waiting).length, 1)
})

test('a concurrency key never runs more tasks than its slots, and does not hold up others', async (t) => {
  const { configure, createMany, lease } = setup(t)
  await configure({ concurrencyPerKey: 2 })
  await createMany(50, { concurrencyKey: 'a' })
  await createMany(1, { concurrencyKey: 'b' })
  await createMany(1)
  const running = await lease(100)
  deepEqual(running.map(({ task }) => task!.concurrencyKey).toSorted(), ['', 'a', 'a', 'b'])
  const waiting = lease(100, 10)
  await complete(running.find(({ task }) => task!.concurrencyKey === 'a')!)
  deepEqual(
    (await waiting).map(({ task }) => task!.concurrencyKey),
    ['a'],
  )
})

test('a slot is freed by every end of a task: failure, cancellation, deletion and loss', async (t) => {
  const { create, lease } = setup(t)
  const first = await create({ concurrencyKey: 'k', attemptTimeout: { seconds: 60n, nanos: 0 } })
  const names = [first.name]
  for (let i = 0; i < 4; i++) names.push((await create({ concurrencyKey: 'k' })).name)
  const [failing] = await lease(10)
  equal(failing?.task?.name, names[0])
  await service.workers.failTask({
    name: names[0]!,
    lease: failing!.lease,
    failure: { error: { code: 2, message: 'no', details: [] }, permanent: true, retryAfter: undefined },
  })
  // The next one holds the slot without running yet; cancelling it passes the slot on.
  await service.tasks.cancelTask({ name: names[1]!, etag: '' })
  await service.tasks.deleteTask({ name: names[2]!, etag: '' })
  const [lost] = await lease(10)
  equal(lost?.task?.name, names[3])
  await service.database.advanceClock(31_000)
  deepEqual(
    (await lease(10, 10)).map(({ task }) => task!.name),
    [names[3]],
  )
})

test('a task that is given back while its key has slots to spare gets one again', async (t) => {
  const { configure, create, lease } = setup(t)
  await configure({ concurrencyPerKey: 3 })
  await create({ concurrencyKey: 'k' })
  const [first] = await lease(1)
  await service.workers.releaseTask({ name: first!.lease!.task, lease: first!.lease, release: undefined })
  equal((await lease(1, 5)).length, 1)
})

test('changing the slots of keys takes effect at once, up and down', async (t) => {
  const { configure, createMany, lease } = setup(t)
  await createMany(10, { concurrencyKey: 'k' })
  equal((await lease(10)).length, 1)
  await configure({ concurrencyPerKey: 4 })
  equal((await lease(10)).length, 3)
  await configure({ concurrencyPerKey: 2 })
  equal((await lease(10)).length, 0)
})

test('a rate limit lets a burst through and then so many per second', async (t) => {
  const { configure, createMany, lease } = setup(t)
  await configure({ ratePerSecond: 10, rateBurst: 5 })
  await createMany(100)
  // An empty bucket is not full: the first second's worth comes with time.
  await service.database.advanceClock(10_000)
  const first = (await lease(100)).length
  ok(first <= 6, `${first} started at once`)
  await service.database.advanceClock(200)
  await until(async () => (await lease(100)).length > 0)
})

test('two fairness keys share by turns, however many tasks one of them has waiting', async (t) => {
  const { createMany, lease } = setup(t)
  await createMany(300, { fairnessKey: 'busy' })
  await createMany(3, { fairnessKey: 'quiet' })
  const first = keysOf(await lease(6))
  equal(first.filter((key) => key === 'quiet').length, 3)
})

test('fairness keys share by their weights', async (t) => {
  const { configure, createMany, lease } = setup(t)
  await configure({ fairnessWeights: { gold: 3 } })
  await createMany(200, { fairnessKey: 'gold' })
  await createMany(200, { fairnessKey: 'lead' })
  const gold = keysOf(await lease(100)).filter((key) => key === 'gold').length
  ok(gold >= 74 && gold <= 76, `${gold} of 100`)
})

test('a key that comes back after a pause gets its turn, and no turns for the pause', async (t) => {
  const { createMany, lease } = setup(t)
  await createMany(100, { fairnessKey: 'a' })
  for (const leased of await lease(100)) await complete(leased)
  await createMany(20, { fairnessKey: 'a' })
  await createMany(20, { fairnessKey: 'b' })
  const b = keysOf(await lease(20)).filter((key) => key === 'b').length
  ok(b >= 9 && b <= 11, `${b} of 20`)
})

test('a task that waited for the ageing time goes before higher priorities', async (t) => {
  const { configure, create, lease } = setup(t)
  await configure({ ageing: { seconds: 60n, nanos: 0 } })
  const old = await create({ priority: -100 })
  await service.database.advanceClock(61_000)
  await create({ priority: 100 })
  await until(async () => {
    const { rows } = await service.pool.query('select rank_priority from tasks.task where id = $1', [old.uid])
    return rows[0].rank_priority === -32768
  })
  deepEqual(
    (await lease(2)).map(({ task }) => task!.priority),
    [-100, 100],
  )
})

test('settings of a queue are read back, and bad ones refused by name', async (t) => {
  const { configure, parent } = setup(t)
  const queue = await configure({
    concurrency: 5,
    ratePerSecond: 2.5,
    fairnessWeights: { a: 2 },
    ageing: { seconds: 90n, nanos: 0 },
  })
  deepEqual(
    [queue.concurrency, queue.ratePerSecond, queue.fairnessWeights, queue.ageing?.seconds],
    [5, 2.5, { a: 2 }, 90n],
  )
  const cleared = await service.queues.updateQueue({
    queue: Queue.fromPartial({ name: queue.name }),
    updateMask: ['concurrency'],
  })
  deepEqual([cleared.concurrency, cleared.ratePerSecond], [0, 2.5])
  await configure({ concurrency: -1 }).then(
    () => ok(false, 'was not refused'),
    (error) => ok(error.message.includes('queue.concurrency')),
  )
  equal(parent.length > 0, true)
})
