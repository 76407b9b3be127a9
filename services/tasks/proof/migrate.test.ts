import { deepEqual, equal, ok } from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { migrate, migrateDown } from '@flowforge/runtime/migrate'
import { createTestDatabase } from '@flowforge/runtime/testing/database'
import { quietLog } from '@flowforge/runtime/testing/log'
import { until } from '@flowforge/runtime/testing/poll'
import pg from 'pg'
import { completeTasks } from '../engine/complete.ts'
import { leaseTasks } from '../engine/lease.ts'
import { dropExpiredPartitions, ensurePartitions } from '../engine/partitions.ts'
import { fillByTriggers, fillFinished, makeQueue } from './plan/fill.ts'

const folder = join(import.meta.dirname, '../schema')
const lockMsMax = 100

let url: string
let adminUrl: string
let pool: pg.Pool
before(async () => {
  ;({ url, adminUrl } = await createTestDatabase({ component: 'tasks', folder }))
  pool = new pg.Pool({ connectionString: url })
})
after(() => pool.end())

/** Leases and completes one task, as a worker does. */
async function finishOne(queueId: number): Promise<void> {
  const slot = { sessionId: 1n, worker: 'w', leaseMs: 60_000 }
  const rows = await leaseTasks(pool, queueId, null, [slot])
  await completeTasks(
    pool,
    rows.map(({ project, id, attempt }) => ({ project, id, attempt, sessionId: 1n, result: null })),
  )
}

async function objects(of: pg.Pool): Promise<string[]> {
  const { rows } = await of.query(`
    select relname as name from pg_class where relnamespace = 'tasks'::regnamespace and relkind in ('r', 'p', 'S', 'i', 'I')
    union all select proname from pg_proc where pronamespace = 'tasks'::regnamespace order by name`)
  return rows.map((row) => row.name)
}

test('no transaction of the upkeep of partitions locks the waiting tasks', async (t) => {
  const client = await pool.connect()
  t.after(() => client.release())
  await client.query('begin')
  await client.query(`select tasks.ensure_partition(tasks.now() + interval '90 days')`)
  const { rows } = await client.query(`
    select relation::regclass::text as table from pg_locks join pg_class on pg_class.oid = relation
    where pid = pg_backend_pid() and mode = 'AccessExclusiveLock' and relname in ('task', 'finished_task')`)
  await client.query('rollback')
  deepEqual(rows, [])
})

test('of two instances that make the same partition at the same time the second finds it made', async (t) => {
  const [first, second] = [await pool.connect(), await pool.connect()]
  t.after(() => [first, second].forEach((client) => client.release()))
  const ensure = `select tasks.ensure_partition(tasks.now() + interval '91 days')`
  await first.query('begin')
  await first.query(ensure)
  const waiting = second.query(ensure)
  await until(async () => {
    const { rows } = await pool.query(`select from pg_locks where locktype = 'advisory' and not granted`)
    return rows.length > 0
  })
  await first.query('commit')
  await waiting
})

test(`making and dropping partitions under load holds up no worker for ${lockMsMax} ms`, async (t) => {
  const queueId = await makeQueue(pool, t.name)
  await ensurePartitions(pool)
  await fillByTriggers(pool, queueId, 2_000)
  const admin = new pg.Pool({ connectionString: adminUrl, max: 1 })
  // A day that is over, with rows to drop.
  await pool.query(`select tasks.ensure_partition(tasks.now() - interval '2 days')`)
  await fillFinished(admin, queueId, 100_000, '4')
  await admin.query(`update tasks.finished_task set retain_until = tasks.now() - interval '2 days'`)
  await admin.end()
  let isLoaded = true
  const load = (async () => {
    while (isLoaded) await finishOne(queueId)
  })()
  // What waits for a table is seen from outside, so that a busy machine is not taken for a lock.
  let longestMs = 0
  const watch = (async () => {
    while (isLoaded) {
      const { rows } = await pool.query(`
        select coalesce(max(extract(epoch from clock_timestamp() - waitstart)) * 1000, 0)::float8 as ms from pg_locks
        where not granted and locktype = 'relation' and database = (select oid from pg_database where datname = current_database())`)
      longestMs = Math.max(longestMs, rows[0].ms)
    }
  })()
  for (let day = 20; day < 30; day++)
    await pool.query(`select tasks.ensure_partition(tasks.now() + $1 * interval '1 day')`, [day])
  await dropExpiredPartitions(pool)
  isLoaded = false
  await Promise.all([load, watch])
  t.diagnostic(`longest wait for a table: ${longestMs.toFixed(1)} ms`)
  ok(longestMs < lockMsMax, `${longestMs} ms`)
  const { rows } = await pool.query(
    `select count(*)::integer as count from tasks.finished_task where retain_until < tasks.now()`,
  )
  equal(rows[0].count, 0)
})

test('a populated database goes down and up again, and is as good as new', async (t) => {
  const options = { url, component: 'tasks', folder, log: quietLog }
  const fresh = await createTestDatabase({ component: 'tasks', folder })
  const queueId = await makeQueue(pool, t.name)
  await fillByTriggers(pool, queueId, 10, 'now()', 'k')
  await finishOne(queueId)
  await pool.end()
  await migrateDown(options)
  pool = new pg.Pool({ connectionString: url })
  deepEqual(
    (await objects(pool)).filter((name) => !name.startsWith('migrations')),
    [],
  )
  await migrate(options)
  const other = new pg.Pool({ connectionString: fresh.url })
  deepEqual(await objects(pool), await objects(other))
  await other.end()
  await ensurePartitions(pool)
  const newQueueId = await makeQueue(pool, t.name)
  const [id] = await fillByTriggers(pool, newQueueId, 1)
  await finishOne(newQueueId)
  const { rows } = await pool.query('select id, state from tasks.finished_task')
  deepEqual(rows, [{ id, state: 4 }])
})
