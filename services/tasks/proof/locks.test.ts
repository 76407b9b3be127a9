import { deepEqual, equal, rejects } from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isConflict } from '@flowforge/runtime/sqlstate'
import { createTestDatabase, type TestDatabase } from '@flowforge/runtime/testing/database'
import { until } from '@flowforge/runtime/testing/poll'
import pg from 'pg'
import { cancelTask } from '../engine/cancel.ts'
import { completeTasks } from '../engine/complete.ts'
import { storeProgress } from '../engine/extend.ts'
import { leaseOf, type LeaseKey } from '../engine/fence.ts'
import { leaseSteered, leaseTasks } from '../engine/lease.ts'
import { promoteTasks } from '../engine/promote.ts'
import { ageTasks, changeQueue, rollUpCounts, giveFreeSlots } from '../engine/queues.ts'
import { openSession, resumeSession, sessionLeases } from '../engine/sessions.ts'
import { released, settleTasks } from '../engine/settle.ts'
import { endOrphaned, quarantineError, sweep } from '../engine/sweep.ts'
import { fillByTriggers, makeQueue } from './plan/fill.ts'

let database: TestDatabase
let pool: pg.Pool
before(async () => {
  database = await createTestDatabase({ component: 'tasks', folder: join(import.meta.dirname, '../schema') })
  pool = new pg.Pool({ connectionString: database.url, max: 12 })
})
after(() => pool.end())

const slots = (count: number, sessionId = 1n, leaseMs: number | null = 60_000) =>
  Array.from({ length: count }, () => ({ sessionId, worker: 'w', leaseMs }))

/** Runs with a connection that holds what it has locked until the test is through. */
async function parked(t: { after: (fn: () => Promise<void>) => void }): Promise<pg.PoolClient> {
  const client = await pool.connect()
  await client.query('begin')
  t.after(async () => {
    await client.query('rollback')
    client.release()
  })
  return client
}

/** Ends all whose time is up; tells of the leases as a sweep does. */
async function sweepAll(told: string[] = [], by = pool): Promise<void> {
  for await (const { settled } of sweep(by, 5)) told.push(...settled.map(({ id }) => id))
}

/** The lease of the only task of a new queue. */
async function leaseOne(queue: string): Promise<LeaseKey> {
  const queueId = await makeQueue(pool, queue)
  await fillByTriggers(pool, queueId, 1)
  const [leased] = await leaseTasks(pool, queueId, null, slots(1))
  return leaseOf(leased!)
}

/** Resolves when the statement of another connection waits for a lock. */
function waitsForLock(name: string): Promise<unknown> {
  return until(async () => {
    const { rowCount } = await pool.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query ~ $1`,
      [name],
    )
    return rowCount === 1
  })
}

test('a lease skips a task that somebody else holds, and waits for nobody', async (t) => {
  const queueId = await makeQueue(pool, t.name)
  const [first, second] = await fillByTriggers(pool, queueId, 2)
  const holder = await parked(t)
  await holder.query('select from tasks.task where id = $1 for update', [first])
  deepEqual(
    (await leaseTasks(pool, queueId, null, slots(2))).map(({ id }) => id),
    [second],
  )
})

test('of two outcomes for one lease the second waits for the first, and then comes too late', async (t) => {
  const lease = await leaseOne(t.name)
  const holder = await pool.connect()
  await holder.query('begin')
  equal((await settleTasks(holder, [released(lease)], 5, quarantineError)).length, 1)
  const late = completeTasks(pool, [{ ...lease, result: null }])
  await waitsForLock('delete from tasks.task using outcome')
  await holder.query('commit')
  holder.release()
  deepEqual([...(await late).refused], [0])
})

test('a success that meets progress of its own attempt waits for it, and is recorded', async (t) => {
  const lease = await leaseOne(t.name)
  const holder = await pool.connect()
  await holder.query('begin')
  await storeProgress(holder as unknown as pg.Pool, [{ ...lease, progress: Buffer.from([1]) }])
  const completed = completeTasks(pool, [{ ...lease, result: null }])
  await waitsForLock('with outcome as')
  await holder.query('commit')
  holder.release()
  deepEqual([...(await completed).refused], [])
})

test('two processes that promote at the same time share the tasks', async (t) => {
  const queueId = await makeQueue(pool, t.name)
  const ids = await fillByTriggers(pool, queueId, 10, `now() + interval '1 second'`)
  await database.advanceClock(2_000)
  const holder = await parked(t)
  await holder.query('select from tasks.task where id = any($1) for update', [ids.slice(0, 4)])
  await promoteTasks(pool)
  const { rows } = await pool.query(
    'select count(*)::integer as count from tasks.task where queue_id = $1 and state = 2',
    [queueId],
  )
  equal(rows[0].count, 6)
})

test('a steered lease waits for the one before, and sees what it leased', async (t) => {
  const queueId = await makeQueue(pool, t.name)
  await changeQueue(pool, queueId, { concurrency: 1 })
  await fillByTriggers(pool, queueId, 3)
  const holder = await pool.connect()
  await holder.query('begin')
  const { rowCount } = await holder.query(`select * from tasks.lease_steered($1, null, '{1}', '{w}', '{1000}', 1000)`, [
    queueId,
  ])
  equal(rowCount, 1)
  const next = leaseSteered(pool, queueId, null, slots(1))
  await waitsForLock('lease_steered')
  await holder.query('commit')
  holder.release()
  deepEqual(await next, [])
})

test('a slot that is freed while its next task is being changed is not lost', async (t) => {
  const queueId = await makeQueue(pool, t.name)
  const [, next] = await fillByTriggers(pool, queueId, 2, 'now()', 'k')
  const [running] = await leaseTasks(pool, queueId, null, slots(2))
  const holder = await pool.connect()
  await holder.query('begin')
  // As ageing and a replacement do: the task is changed and stays blocked.
  await holder.query('update tasks.task set rank_priority = -32768 where id = $1', [next])
  const completed = completeTasks(pool, [{ project: 'plan', id: running!.id, attempt: 1, sessionId: 1n, result: null }])
  // It may skip the task or wait for it.
  await Promise.race([completed, waitsForLock('delete from tasks.task using outcome')])
  await holder.query('commit')
  holder.release()
  await completed
  deepEqual(
    (await leaseTasks(pool, queueId, null, slots(2))).map(({ id }) => id),
    [next],
  )
})

test('a slot whose next task was held by somebody who then left it as it was is given by the upkeep', async (t) => {
  const queueId = await makeQueue(pool, t.name)
  const [, next] = await fillByTriggers(pool, queueId, 2, 'now()', 'k')
  const [running] = await leaseTasks(pool, queueId, null, slots(2))
  const holder = await pool.connect()
  await holder.query('begin')
  await holder.query('select from tasks.task where id = $1 for update', [next])
  await completeTasks(pool, [{ project: 'plan', id: running!.id, attempt: 1, sessionId: 1n, result: null }])
  await holder.query('rollback')
  holder.release()
  deepEqual(await leaseTasks(pool, queueId, null, slots(2)), [])
  deepEqual(await giveFreeSlots(pool), [queueId])
  deepEqual(
    (await leaseTasks(pool, queueId, null, slots(2))).map(({ id }) => id),
    [next],
  )
  deepEqual(await giveFreeSlots(pool), [])
})

test('leases of a session that ended are told of although the rest of the sweep fails', async (t) => {
  const queueId = await makeQueue(pool, t.name)
  await fillByTriggers(pool, queueId, 2)
  const session = await openSession(pool, 'w', 10)
  const [lost] = await leaseTasks(pool, queueId, null, slots(1, session.id, null))
  const [late] = await leaseTasks(pool, queueId, null, slots(1, session.id + 1n, 10))
  await database.advanceClock(20)
  const holder = await parked(t)
  await holder.query('select from tasks.task where id = $1 for update', [late!.id])
  const impatient = new pg.Pool({ connectionString: database.url, options: '-c lock_timeout=50' })
  t.after(() => impatient.end())
  const told: string[] = []
  await rejects(sweepAll(told, impatient), isConflict)
  deepEqual([told.includes(lost!.id), told.includes(late!.id)], [true, false])
})

test('a lease that comes for a session in the moment it ended is swept at once', async (t) => {
  const queueId = await makeQueue(pool, t.name)
  await fillByTriggers(pool, queueId, 1)
  const session = await openSession(pool, 'w', 10)
  await database.advanceClock(20)
  await sweepAll()
  const [leased] = await leaseTasks(pool, queueId, null, slots(1, session.id, null))
  const settled = await endOrphaned(pool, 5)
  deepEqual(
    settled.map(({ id }) => id),
    [leased!.id],
  )
})

test('a lease that was in flight while its session was resumed elsewhere is found there, and what is leased there not by who served it before', async (t) => {
  const queueId = await makeQueue(pool, t.name)
  const [id] = await fillByTriggers(pool, queueId, 1)
  const session = await openSession(pool, 'w', 60_000)
  const old = await pool.connect()
  await old.query('begin')
  await leaseTasks(old as unknown as pg.Pool, queueId, null, slots(1, session.id, null))
  const resumed = await resumeSession(pool, session.id, session.token, 60_000)
  deepEqual(await sessionLeases(pool, [resumed!]), [])
  await old.query('commit')
  old.release()
  deepEqual(await sessionLeases(pool, [resumed!]), [{ project: 'plan', id, attempt: 1, sessionId: session.id }])
  deepEqual(await sessionLeases(pool, [session]), [])
})

test('promoting, leasing, finishing, cancelling, ageing and sweeping at the same time meet no deadlock', async (t) => {
  const queueId = await makeQueue(pool, t.name)
  await changeQueue(pool, queueId, { concurrencyPerKey: 2, ageingS: 1 })
  for (let key = 0; key < 5; key++) {
    await fillByTriggers(pool, queueId, 40, `now() + interval '1 second'`, `k${key}`)
    await fillByTriggers(pool, queueId, 40, 'now()', `k${key}`)
  }
  await database.advanceClock(3_000)
  let conflicts = 0
  const act = async (verb: () => Promise<unknown>) => {
    for (let i = 0; i < 25; i++)
      await verb().catch((error) => {
        if (!isConflict(error)) throw error
        conflicts++
      })
  }
  const leaseAndComplete = async () => {
    const rows = await leaseTasks(pool, queueId, null, slots(5))
    await completeTasks(
      pool,
      rows.map(({ project, id, attempt }) => ({ project, id, attempt, sessionId: 1n, result: null })),
    )
  }
  const cancelOne = async () => {
    const { rows } = await pool.query(
      'select project, id from tasks.task where queue_id = $1 and state < 3 order by random() limit 1',
      [queueId],
    )
    if (rows[0]) await cancelTask(pool, rows[0], null)
  }
  await Promise.all([
    act(() => promoteTasks(pool)),
    act(leaseAndComplete),
    act(leaseAndComplete),
    act(leaseAndComplete),
    act(cancelOne),
    act(() => ageTasks(pool)),
    act(sweepAll),
    act(() => rollUpCounts(pool)),
  ])
  t.diagnostic(`${conflicts} conflicts`)
  equal(conflicts, 0)
})
