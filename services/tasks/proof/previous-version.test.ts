/**
 * While instances are replaced one by one, those of the version before work on this version's schema. What they send and
 * this version no longer does is kept here, as they send it, until the version after the next.
 */
import { deepEqual, equal } from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createTestDatabase } from '@flowforge/runtime/testing/database'
import pg from 'pg'
import { completeTasks } from '../engine/complete.ts'
import { createTasks, type NewTask } from '../engine/create.ts'
import { leaseSteered, leaseTasks } from '../engine/lease.ts'
import { ensurePartitions } from '../engine/partitions.ts'
import { unsealed } from '../engine/seal.ts'
import { fillByTriggers, makeQueue } from './plan/fill.ts'

let pool: pg.Pool
before(async () => {
  const { url } = await createTestDatabase({ component: 'tasks', folder: join(import.meta.dirname, '../schema') })
  pool = new pg.Pool({ connectionString: url })
  await ensurePartitions(pool)
})
after(() => pool.end())

const slots = (count: number) => Array.from({ length: count }, () => ({ sessionId: 1n, worker: 'w', leaseMs: 60_000 }))

function keyedTask(queueId: number, concurrencyKey: string): NewTask {
  return {
    project: 'plan',
    id: randomUUID(),
    queueId,
    type: 'echo',
    priority: 0,
    scheduleTime: null,
    expireTime: null,
    attemptTimeoutMs: null,
    retryPolicy: null,
    requestId: null,
    isFair: false,
    fingerprint: null,
    fairnessKey: null,
    concurrencyKey,
    uniqueKey: null,
    uniquePolicy: 0,
    labels: null,
    traceparent: null,
    payload: null,
  }
}

test('slots of a key are shared by tasks that either version created', async (t) => {
  const queueId = await makeQueue(pool, t.name)
  await pool.query('update tasks.queue set concurrency_per_key = 3 where id = $1', [queueId])
  // As before: blocked, and unblocked by the trigger.
  const [old] = await fillByTriggers(pool, queueId, 1, 'now()', 'k')
  const items = Array.from({ length: 3 }, () => keyedTask(queueId, 'k'))
  await createTasks(pool, items, 60, unsealed)
  const [later] = await fillByTriggers(pool, queueId, 1, 'now()', 'k')
  const running = await leaseTasks(pool, queueId, null, slots(10))
  equal(running.length, 3)
  equal(running[0]!.id, old)
  const outcomes = running.map(({ project, id, attempt }) => ({ project, id, attempt, sessionId: 1n, result: null }))
  await completeTasks(pool, outcomes)
  const rest = await leaseTasks(pool, queueId, null, slots(10))
  const notYetRun = items.filter(({ id }) => !running.some((row) => row.id === id)).map(({ id }) => id)
  deepEqual(new Set(rest.map(({ id }) => id)), new Set([later, ...notYetRun]))
  const { rows } = await pool.query('select held from tasks.concurrency where queue_id = $1', [queueId])
  deepEqual(rows, [{ held: 2 }])
})

test('both versions lease from a queue with limits, and keep them', async (t) => {
  const queueId = await makeQueue(pool, t.name)
  await pool.query('update tasks.queue set concurrency = 5 where id = $1', [queueId])
  await fillByTriggers(pool, queueId, 20)
  const { rowCount } = await pool.query(
    `select * from tasks.lease_steered($1, null, '{1,1,1}', '{w,w,w}', '{1000,1000,1000}', 1000)`,
    [queueId],
  )
  equal(rowCount, 3)
  equal((await leaseSteered(pool, queueId, null, slots(10))).length, 2)
})
