import { deepEqual, equal, rejects } from 'node:assert/strict'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { createTestDatabase } from '@flowforge/runtime/testing/database'
import { until } from '@flowforge/runtime/testing/poll'
import pg from 'pg'
import { Outcome } from '../engine/states.ts'
import { startRelay } from '../testing/relay.ts'
import { startTestTasks } from '../testing/tasks-service.ts'
import { openStream } from '../testing/worker-stream.ts'

const parent = 'projects/p'
/** A task that may expire is not created as a worker's, but leased. */
const expireTime = new Date(Date.now() + 3_600_000)

/** The service, on connections that lose what they are told to. */
async function setup(t: TestContext) {
  const database = await createTestDatabase({ component: 'tasks', folder: join(import.meta.dirname, '../schema') })
  const admin = new pg.Client({ connectionString: database.adminUrl })
  await admin.connect()
  const relay = await startRelay(database.url)
  const service = await startTestTasks({
    database,
    through: { url: relay.url, isPooled: false },
    sessionTimeoutMs: 2_000,
  })
  const stream = openStream(service, parent)
  t.after(async () => {
    // What it holds back ends with it.
    await admin.end()
    stream.break()
    await service.stop()
    relay.close()
  })
  await stream.take('welcome')
  await service.engine.dispatcher.idle()
  return {
    relay,
    service,
    stream,
    admin,
    create: (task: Partial<Task> = {}) =>
      service.tasks.createTask(CreateTaskRequest.fromPartial({ parent, task: { type: 'echo', ...task } })),
    /** The lease that the worker gets, and how the task's attempts before it ended. */
    async taken() {
      const [leased] = (await stream.take('leases')).tasks
      return {
        attempt: leased!.lease!.attempt,
        before: leased!.task!.attempts.slice(0, -1).map(({ outcome }) => outcome),
      }
    },
  }
}

test('a lease that was committed but never answered goes to a worker at once, and no stream ends', async (t) => {
  const { relay, create, taken, stream } = await setup(t)
  const lost = relay.loseAnswer('lease-tasks', 'UPDATE 1')
  await create({ expireTime })
  await lost
  deepEqual(await taken(), { attempt: 2, before: [Outcome.released] })
  // Nor does the worker hear of the first one: it never had it.
  equal(
    stream.received.some(({ $case }) => $case === 'lost'),
    false,
  )
})

test('a task whose creation was committed but never answered goes to a worker at once', async (t) => {
  const { relay, create, taken } = await setup(t)
  await create()
  await taken()
  const lost = relay.loseAnswer('create-tasks', 'SELECT 1')
  await rejects(create())
  await lost
  deepEqual(await taken(), { attempt: 2, before: [Outcome.released] })
})

test('a lease that commits after its connection was lost goes to a worker, too', async (t) => {
  const { relay, create, taken, admin } = await setup(t)
  const waiting = async () =>
    (
      await admin.query(`select count(*)::integer as n from pg_locks join pg_stat_activity using (pid)
      where not granted and datname = current_database()`)
    ).rows[0].n
  await admin.query(`create function hold() returns trigger language plpgsql as $$
    begin perform pg_advisory_xact_lock_shared(1); return null; end $$`)
  await admin.query(`create trigger hold after update on tasks.task execute function hold()`)
  await admin.query('select pg_advisory_lock(1)')
  await create({ expireTime })
  await until(async () => (await waiting()) === 1)
  relay.cut('lease-tasks')
  // Long enough for a look that finds nothing: the next try to lease waits, too.
  await until(async () => (await waiting()) === 2)
  await admin.query('select pg_advisory_unlock(1)')
  deepEqual(await taken(), { attempt: 2, before: [Outcome.released] })
})
