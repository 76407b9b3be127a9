import { deepEqual, equal, ok } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { BatchCreateTasksRequest, CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import {
  LeaseTasksRequest,
  WorkRequest,
  type WorkResponse,
} from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { until } from '@flowforge/runtime/testing/poll'
import { countInChunks } from '../engine/bulk.ts'
import { cancellable } from '../engine/bulk-cancel.ts'
import { compileFilter } from '../engine/filter.ts'
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
  const create = (task: Partial<Task> = {}) =>
    service.tasks.createTask(CreateTaskRequest.fromPartial({ parent, task: { type: 'echo', ...task } }))
  return {
    parent,
    project: parent.slice('projects/'.length),
    create,
    /** Creates as many as asked for, quickly. */
    async fill(count: number, task: Partial<Task> = {}) {
      for (let left = count; left > 0; left -= 1000)
        await service.tasks.batchCreateTasks(
          BatchCreateTasksRequest.fromPartial({
            parent,
            requests: Array.from({ length: Math.min(left, 1000) }, () => ({ parent, task: { type: 'echo', ...task } })),
          }),
        )
    },
    /** Creates a task and lets its only attempt fail. */
    async createDead(task: Partial<Task> = {}) {
      const { name } = await create(task)
      const request = LeaseTasksRequest.fromPartial({ parent, worker: 'w', queues: [task.queue || 'default'] })
      const { lease } = (await service.workers.leaseTasks(request)).tasks[0]!
      const failure = { error: { code: 3, message: 'never', details: [] }, permanent: true, retryAfter: undefined }
      equal((await service.workers.failTask({ name, lease, failure })).state, 6)
      return name
    },
    get: (name: string) => service.tasks.getTask({ name }),
    list: async (filter: string) =>
      (await service.tasks.listTasks({ parent, pageSize: 1000, pageToken: '', filter, orderBy: 'create_time' })).tasks,
    cancel: (filter: string, dryRun = false) => service.tasks.bulkCancelTasks({ parent, filter, dryRun }),
    retry: (filter: string, { dryRun = false, ratePerSecond = 0 } = {}) =>
      service.tasks.bulkRetryTasks({ parent, filter, dryRun, ratePerSecond }),
    remove: (filter: string, dryRun = false) => service.tasks.bulkDeleteTasks({ parent, filter, dryRun }),
  }
}

const done = (count: number) => ({ count: BigInt(count), complete: true })

test('a bulk verb without a filter is refused, so that nobody means all by accident', async (t) => {
  const { cancel, retry, remove } = setup(t)
  for (const call of [cancel(' '), retry(''), remove('')]) await rejectsWith('INVALID_ARGUMENT', call)
  await rejectsWith('INVALID_ARGUMENT', cancel('colour = red'))
  await rejectsWith('INVALID_ARGUMENT', retry('state = DEAD', { ratePerSecond: 10_001 }))
  await rejectsWith('INVALID_ARGUMENT', retry('state = DEAD', { ratePerSecond: Number.NaN }))
})

test('bulk cancel cancels what the filter finds and nothing else', async (t) => {
  const { create, get, cancel } = setup(t)
  const waiting = [await create(), await create({ scheduleTime: new Date(Date.now() + 60_000) })]
  const other = await create({ type: 'other' })
  deepEqual(await cancel('queue = mail'), done(0), 'there is no such queue')
  deepEqual(await cancel('type = echo AND queue = default'), done(2))
  for (const { name } of waiting) equal((await get(name)).state, 5)
  equal((await get(other.name)).state, 2)
  deepEqual(await cancel('type = echo'), done(0))
})

test('a dry run counts what would be changed and changes nothing', async (t) => {
  const { create, createDead, get, cancel, retry, remove } = setup(t)
  const dead = await createDead()
  const { name } = await create()
  deepEqual(await cancel('type = echo', true), done(1))
  deepEqual(await retry('type = echo', { dryRun: true }), done(1))
  deepEqual(await remove('type = echo', true), done(2))
  equal((await get(name)).state, 2)
  equal((await get(dead)).state, 6)
})

test('bulk cancel goes through more tasks than a chunk holds', async (t) => {
  const { fill, create, cancel, list } = setup(t)
  await fill(2_500)
  await create({ type: 'other' })
  deepEqual(await cancel('type = echo', true), done(2_500))
  deepEqual(await cancel('type = echo'), done(2_500))
  equal((await list('state = CANCELLED')).length, 1000)
  deepEqual(
    (await list('state = READY')).map((task) => task.type),
    ['other'],
  )
})

test('a few tasks among many are found beyond the first look', async (t) => {
  const { fill, create, cancel, remove } = setup(t)
  await fill(10_500)
  await create({ type: 'needle' })
  deepEqual(await cancel('type = needle', true), done(1))
  deepEqual(await cancel('type = needle'), done(1))
  deepEqual(await remove('type = needle'), done(1))
})

test('work that is out of time says so, and the next call does the rest', async (t) => {
  const { fill, project, cancel } = setup(t)
  await fill(1)
  const condition = compileFilter('type = echo')
  const signal = new AbortController().signal
  deepEqual(await countInChunks(service.pool, { project, condition, until: 0, signal }, cancellable), {
    count: 0,
    isComplete: false,
  })
  deepEqual(await service.engine.bulkCancel({ project, condition, until: 0, signal }), { count: 0, isComplete: false })
  deepEqual(await cancel('type = echo'), done(1))
})

test('running tasks are asked to stop, and their workers hear of it on every instance', async (t) => {
  const { create, cancel, get, parent } = setup(t)
  const other = await startTestTasks({ database: service.database })
  t.after(() => other.stop())
  const streams = [service, other].map((instance) => {
    const call = instance.workers.work()
    const cancelled: string[] = []
    let leased = 0
    call.on('data', ({ message }: WorkResponse) => {
      if (message?.$case === 'leases') leased += message.value.tasks.length
      if (message?.$case === 'cancel') cancelled.push(message.value.lease!.task)
    })
    call.on('error', () => undefined)
    call.write(
      WorkRequest.fromPartial({
        message: { $case: 'hello', value: { parent, worker: 'w', capacity: 5 } },
      }) as WorkRequest,
    )
    return { call, cancelled, leased: () => leased }
  })
  const created = await Promise.all(Array.from({ length: 10 }, () => create()))
  await until(() => streams.every(({ leased }) => leased() === 5))
  deepEqual(await cancel('state = RUNNING'), done(10))
  await until(() => streams.every(({ cancelled }) => cancelled.length === 5))
  deepEqual(streams.flatMap(({ cancelled }) => cancelled).toSorted(), created.map(({ name }) => name).toSorted())
  equal((await get(created[0]!.name)).cancelRequested, true)
  deepEqual(await cancel('state = RUNNING'), done(0), 'asked once is enough')
  for (const { call } of streams) call.cancel()
})

test('bulk retry makes dead and cancelled tasks READY with all their attempts ahead of them', async (t) => {
  const { create, createDead, cancel, retry, get, parent } = setup(t)
  const dead = await createDead({ labels: { customer: 'acme' } })
  const kept = await createDead()
  const { name: cancelled } = await create({ labels: { customer: 'acme' } })
  await cancel('labels.customer = acme')
  deepEqual(await retry('labels.customer = acme'), done(2))
  for (const name of [dead, cancelled]) equal((await get(name)).state, 2)
  equal((await get(kept)).state, 6)
  const request = LeaseTasksRequest.fromPartial({ parent, worker: 'w', maxTasks: 10 })
  equal((await service.workers.leaseTasks(request)).tasks.length, 2)
})

test('a rate spreads retried tasks evenly, over chunks as well', async (t) => {
  const { fill, cancel, retry, list } = setup(t)
  await fill(1_500)
  await cancel('type = echo')
  deepEqual(await retry('state = CANCELLED', { ratePerSecond: 0.5 }), done(1_500))
  const { rows } = await service.pool.query(
    `select extract(epoch from schedule_time - lag(schedule_time) over (order by id))::float8 as gap from tasks.task
     where project = $1 order by id`,
    [setup(t).project],
  )
  const gaps = rows.slice(1).map(({ gap }) => gap)
  equal(gaps.length, 1_499)
  ok(
    gaps.every((gap) => Math.abs(gap - 2) < 0.001),
    `${Math.min(...gaps)} to ${Math.max(...gaps)}`,
  )
  ok((await list('state = SCHEDULED')).length > 0)
})

test('a rate goes on where calls with the same filter before it and beside it have planned to', async (t) => {
  const { fill, cancel, retry, project } = setup(t)
  const [each, ratePerSecond] = [20, 0.5]
  for (const callers of [1, 1, 3]) {
    await fill(each)
    await cancel('state = READY')
    await Promise.all(Array.from({ length: callers }, () => retry('state = CANCELLED', { ratePerSecond })))
  }
  const { rows } = await service.pool.query(
    `select extract(epoch from schedule_time - lag(schedule_time) over (order by schedule_time))::float8 as gap
     from tasks.task where project = $1 order by schedule_time`,
    [project],
  )
  const gaps = rows.slice(1).map(({ gap }) => gap)
  equal(gaps.length, 3 * each - 1)
  ok(Math.min(...gaps) > 1 / ratePerSecond - 0.001, `two are only ${Math.min(...gaps)} s apart`)
})

test('with a rate the first is READY at once and the others follow', async (t) => {
  const { fill, cancel, retry, list } = setup(t)
  await fill(3)
  await cancel('type = echo')
  await retry('state = CANCELLED', { ratePerSecond: 20 })
  await until(async () => (await list('state = READY')).length === 3)
})

test('retried tasks of one concurrency key are READY one at a time', async (t) => {
  const { create, cancel, retry, parent } = setup(t)
  for (let n = 0; n < 3; n++) await create({ concurrencyKey: 'k' })
  await cancel('type = echo')
  await retry('state = CANCELLED')
  const request = LeaseTasksRequest.fromPartial({ parent, worker: 'w', maxTasks: 10 })
  equal((await service.workers.leaseTasks(request)).tasks.length, 1)
})

test('retried tasks take turns by their fairness keys, as new ones do', async (t) => {
  const { fill, create, cancel, retry, parent } = setup(t)
  await fill(50, { fairnessKey: 'many' })
  await create({ fairnessKey: 'one', type: 'other' })
  await cancel('priority = 0')
  deepEqual(await retry('state = CANCELLED'), done(51))
  const request = LeaseTasksRequest.fromPartial({ parent, worker: 'w', maxTasks: 3 })
  const { tasks } = await service.workers.leaseTasks(request)
  ok(tasks.some(({ task }) => task?.fairnessKey === 'one'))
})

test('bulk calls at once share the work, and together count each task once', async (t) => {
  const { fill, cancel, retry, remove } = setup(t)
  await fill(1_000, { concurrencyKey: 'k' })
  await fill(1_000)
  const total = async (calls: Promise<{ count: bigint }>[]) =>
    (await Promise.all(calls)).reduce((sum, { count }) => sum + count, 0n)
  equal(await total([cancel('type = echo'), cancel('type = echo'), cancel('type = echo')]), 2_000n)
  equal(await total([retry('type = echo'), retry('type = echo', { ratePerSecond: 100 })]), 2_000n)
  equal((await total([remove('type = echo'), cancel('type = echo'), remove('type = echo')])) >= 2_000n, true)
  deepEqual(await remove('type = echo'), done(0))
})

test('of tasks with one unique key only the first comes back, and none while another has it', async (t) => {
  const { createDead, create, retry, get } = setup(t)
  const first = await createDead({ uniqueKey: 'invoice-7' })
  const second = await createDead({ uniqueKey: 'invoice-7' })
  const alone = await createDead({ uniqueKey: 'invoice-8' })
  await create({ uniqueKey: 'invoice-8' })
  deepEqual(await retry('state = DEAD'), done(1))
  deepEqual(await Promise.all([first, second, alone].map(async (name) => (await get(name)).state)), [2, 6, 6])
})

test('bulk delete forgets what waits and what has finished, and leaves what runs', async (t) => {
  const { create, createDead, remove, get, parent } = setup(t)
  const dead = await createDead()
  const { name: running } = await create()
  await service.workers.leaseTasks(LeaseTasksRequest.fromPartial({ parent, worker: 'w' }))
  const { name: waiting } = await create()
  deepEqual(await remove('type = echo'), done(2))
  for (const name of [dead, waiting]) await rejectsWith('NOT_FOUND', get(name))
  equal((await get(running)).state, 3)
})

test('a bulk verb stays within its project', async (t) => {
  const { create, cancel, get } = setup(t)
  const elsewhere = setup({ name: 'somebody else' })
  const { name } = await elsewhere.create()
  await create()
  deepEqual(await cancel('type = echo'), done(1))
  equal((await get(name)).state, 2)
})

test('tasks that start meanwhile are not cancelled by a filter for READY ones, and none is lost', async (t) => {
  const { fill, cancel, list, parent } = setup(t)
  await fill(300)
  const lease = () => service.workers.leaseTasks(LeaseTasksRequest.fromPartial({ parent, worker: 'w', maxTasks: 100 }))
  const [cancelled] = await Promise.all([cancel('state = READY'), lease(), lease()])
  const states = (await list('type = echo')).map((task) => [task.state, task.cancelRequested] as const)
  equal(states.length, 300)
  equal(states.filter(([state]) => state === 5).length, Number(cancelled.count))
  ok(states.every(([state, isRequested]) => state === 5 || (state === 3 && !isRequested)))
})
