import { deepEqual, equal } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { BatchCreateTasksRequest, CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { TaskState, type Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { until } from '@flowforge/runtime/testing/poll'
import { startTestTasks, type TestTasks } from '../testing/tasks-service.ts'
import type { Taker } from './dispatcher.ts'
import { leaseOf } from './fence.ts'
import type { LeasedRow } from './lease.ts'
import { openSession } from './sessions.ts'

let service: TestTasks
before(async () => {
  service = await startTestTasks()
})
after(() => service.stop())

/** A worker's place in a project of the test's own, whose queue was found empty. */
async function setup(t: { name: string }, room: number, types: string[] = []) {
  const { engine, pool } = service
  const project = t.name.replace(/[^a-z]+/g, '-').slice(0, 60)
  const { id: queueId } = await engine.queues.make(project, 'default')
  const session = await openSession(pool, 'w', 10_000)
  const given: LeasedRow[] = []
  const taker: Taker = {
    sessionId: session.id,
    worker: 'w',
    project,
    queues: new Set(),
    types,
    room,
    isSilent: () => false,
    leaseMs: null,
    give: (rows) => void given.push(...rows),
    doubt: () => undefined,
  }
  engine.dispatcher.add(taker)
  engine.dispatcher.mark([queueId])
  await engine.dispatcher.idle()
  return {
    taker,
    given,
    queueId,
    project,
    create: (task: Partial<Task> = {}, requestId = '') =>
      service.tasks.createTask(
        CreateTaskRequest.fromPartial({ parent: `projects/${project}`, task: { type: 'echo', ...task }, requestId }),
      ),
    stored: async () =>
      (await pool.query('select * from tasks.task where queue_id = $1 order by create_time', [queueId])).rows,
  }
}

test('a task is created as that of a worker that waits, with all that a lease has, and answered as created', async (t) => {
  const { create, given, stored, taker } = await setup(t, 1)
  const created = await create({ payload: { n: 1 } })
  equal(created.state, TaskState.TASK_STATE_READY)
  equal(given[0]?.id, created.uid)
  const [row] = await stored()
  // Created and started by one transaction: no statement leased it.
  deepEqual(
    [row.state, row.attempt, row.revision, row.session_id, row.worker, row.start_time, row.attempt_start],
    [3, 1, 2, String(taker.sessionId), 'w', row.create_time, row.create_time],
  )
  equal(row.lease_until - row.attempt_start, 300_000)
  const { state, attempt, revision, session_id, worker, create_time, start_time, attempt_start, lease_until, payload } =
    row
  const told = {
    state,
    attempt,
    revision,
    session_id,
    worker,
    create_time,
    start_time,
    attempt_start,
    lease_until,
    payload,
  }
  deepEqual({ ...given[0], ...told }, given[0])
  await service.engine.completeAll([{ ...leaseOf(given[0]!), result: null }])
  deepEqual(await stored(), [])
})

test('tasks are handed over in the order of their creation, each once there is room for it', async (t) => {
  const { create, given, taker } = await setup(t, 1)
  const created = [await create(), await create(), await create()]
  equal(given.length, 1)
  for (let n = 2; n <= 3; n++) {
    taker.room = 1
    service.engine.dispatcher.roomChanged()
    await until(() => given.length === n)
  }
  deepEqual(
    given.map(({ id }) => id),
    created.map(({ uid }) => uid),
  )
})

test('of tasks that are created together, those with the highest priority get the places', async (t) => {
  const { given, project, taker } = await setup(t, 2)
  const requests = [0, 2, 1, 2].map((priority) => ({ task: { type: 'echo', priority } }))
  await service.tasks.batchCreateTasks(BatchCreateTasksRequest.fromPartial({ parent: `projects/${project}`, requests }))
  taker.room = 2
  service.engine.dispatcher.roomChanged()
  await until(() => given.length === 4)
  deepEqual(
    given.map(({ priority }) => priority),
    [2, 2, 1, 0],
  )
})

test('a task overtakes none of its type that wait, though nothing of another type waits', async (t) => {
  const { create, given, taker, queueId } = await setup(t, 1, ['busy'])
  const { dispatcher } = service.engine
  dispatcher.add({ ...taker, sessionId: 0n, types: ['idle'] })
  const created = [await create({ type: 'busy' }), await create({ type: 'busy' })]
  for (let n = 0; n < 10; n++) {
    // The types are looked for in any order.
    dispatcher.mark([queueId])
    await dispatcher.idle()
  }
  taker.room = 1
  await create({ type: 'busy' })
  await until(() => given.length === 2)
  deepEqual(
    given.map(({ id }) => id),
    created.map(({ uid }) => uid),
  )
})

test('a queue whose settings changed is not taken for empty until it was looked into', async (t) => {
  const { taker, queueId, project } = await setup(t, 1)
  const { dispatcher } = service.engine
  const reserve = () => dispatcher.reserve({ id: queueId, project, name: 'default' }, 'echo')
  equal(reserve(), taker)
  dispatcher.free(taker)
  await service.engine.queueChanged(queueId)
  await dispatcher.idle()
  equal(reserve(), taker)
  dispatcher.free(taker)
  const changed = service.engine.queueChanged(queueId)
  equal(reserve(), undefined)
  await changed
})

test('tasks of a queue that was paused a moment ago wait, and the worker keeps its places', async (t) => {
  const { create, given, stored, queueId } = await setup(t, 1)
  await service.pool.query('update tasks.queue set paused = true where id = $1', [queueId])
  await create()
  await service.engine.dispatcher.idle()
  deepEqual(
    (await stored()).map(({ state }) => state),
    [2],
  )
  await service.pool.query('update tasks.queue set paused = false where id = $1', [queueId])
  service.engine.dispatcher.mark([queueId])
  await until(() => given.length === 1)
})

test('what may keep a task from starting is left to the statement that leases', async (t) => {
  const { create, given, stored, queueId } = await setup(t, 10)
  const inAnHour = new Date(Date.now() + 3_600_000)
  await create({ scheduleTime: inAnHour })
  equal((await stored())[0].state, 1)
  await create({ expireTime: inAnHour })
  await create({ concurrencyKey: 'key' })
  await until(() => given.length === 2)
  const { rows } = await service.pool.query('select from tasks.task where queue_id = $1 and start_time > create_time', [
    queueId,
  ])
  equal(rows.length, 2)
})

test('a repeated request is handed over once', async (t) => {
  const { create, given } = await setup(t, 10)
  const first = await create({}, 'request')
  const [second, third] = await Promise.all([create({}, 'request'), create({}, 'request')])
  deepEqual([second.uid, third.uid], [first.uid, first.uid])
  deepEqual(
    given.map(({ id }) => id),
    [first.uid],
  )
})

test('a worker that goes while its task is being created waits for the statement, and the task gets another', async (t) => {
  const { create, given, taker, queueId, stored } = await setup(t, 1)
  const lock = await service.pool.connect()
  await lock.query('begin')
  await lock.query('lock table tasks.task in share mode')
  const created = create()
  await until(async () => (await waiting()) > 0)
  const removed = service.engine.dispatcher.remove(taker)
  // What it reported before it went is acknowledged.
  taker.room = 5
  const later = create()
  await until(async () => (await waiting()) > 1)
  await lock.query('commit')
  lock.release()
  await Promise.all([created, later, removed])
  equal(given.length, 1)
  service.engine.giveBack(given.splice(0).map(leaseOf))
  await until(async () => (await stored()).every(({ state }) => state === 2))
  taker.room = 1
  service.engine.dispatcher.add(taker)
  service.engine.dispatcher.mark([queueId])
  await until(() => given.some(({ attempt }) => attempt === 2))
})

async function waiting(): Promise<number> {
  const { rows } = await service.pool.query(
    `select count(*)::integer as n from pg_locks where not granted and relation = 'tasks.task'::regclass`,
  )
  return rows[0].n
}
