import { equal, ok } from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createTestDatabase } from '@flowforge/runtime/testing/database'
import pg from 'pg'
import { completeTasks } from '../engine/complete.ts'
import type { Slot } from '../engine/lease.ts'
import { Leasing } from '../engine/leasing.ts'
import { ensurePartitions } from '../engine/partitions.ts'
import { QueueCache } from '../engine/queue-cache.ts'
import { buffersOf, explainedPool, type ExplainedPool } from './plan/explain.ts'
import { fillByTriggers, makeQueue } from './plan/fill.ts'

const finishedTasks = 40_000
const batch = 2_000
const slots = (count: number): Slot[] =>
  Array.from({ length: count }, () => ({ sessionId: 1n, worker: 'w', leaseMs: null }))

let explained: ExplainedPool
let holder: pg.Client
before(async () => {
  const database = await createTestDatabase({ component: 'tasks', folder: join(import.meta.dirname, '../schema') })
  explained = await explainedPool(database.adminUrl)
  await ensurePartitions(explained.pool)
  holder = new pg.Client({ connectionString: database.adminUrl })
  await holder.connect()
})
after(async () => {
  await holder.end()
  await explained.pool.end()
})

test('while a snapshot is held, what has run since costs the leases and completions after it no page', async () => {
  const { pool, plansOf } = explained
  const queueId = await makeQueue(pool, 'held')
  const leasing = new Leasing({ pool, queues: new QueueCache(pool), onRefilled: () => undefined })
  /** Leases all that waits, and finishes it. */
  const work = async (count: number): Promise<void> => {
    const leased = await leasing.lease(queueId, null, slots(count + 1))
    equal(leased.length, count)
    await completeTasks(
      pool,
      leased.map(({ project, id, attempt }) => ({ project, id, attempt, sessionId: 1n, result: null })),
    )
  }
  const run = async (count: number): Promise<void> => {
    await fillByTriggers(pool, queueId, count)
    await work(count)
  }
  /** Pages that it takes to lease and finish ten tasks, and then to find none. */
  const pages = async (): Promise<number> => {
    await fillByTriggers(pool, queueId, 10)
    return buffersOf(
      await plansOf(async () => {
        await work(10)
        equal((await leasing.lease(queueId, null, slots(10))).length, 0)
      }),
    )
  }
  await holder.query('begin isolation level repeatable read')
  await holder.query('select from pg_class limit 1')
  // Often enough for the plan that is kept.
  for (let i = 0; i < 10; i++) await run(10)
  const before = await pages()
  for (let done = 0; done < finishedTasks; done += batch) await run(batch)
  const withDead = await pages()
  // An index of more tasks has more levels.
  ok(withDead <= before * 2 + 50, `${withDead} pages and not ${before}`)
  // As statistics are gathered while some wait and some run.
  await fillByTriggers(pool, queueId, 100)
  const running = await leasing.lease(queueId, null, slots(50))
  await pool.query('analyze tasks.task')
  const analyzed = await plansOf(() =>
    completeTasks(
      pool,
      running.slice(0, 10).map(({ project, id, attempt }) => ({ project, id, attempt, sessionId: 1n, result: null })),
    ),
  )
  ok(buffersOf(analyzed) <= before * 2 + 50, `${buffersOf(analyzed)} pages and not ${before}, with fresh statistics`)
})
