import { deepEqual } from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createTestDatabase } from '@flowforge/runtime/testing/database'
import { quietLog } from '@flowforge/runtime/testing/log'
import { until } from '@flowforge/runtime/testing/poll'
import pg from 'pg'
import { Wakeups } from './wakeups.ts'

let url: string
let pool: pg.Pool
before(async () => {
  url = (await createTestDatabase({ component: 'tasks', folder: join(import.meta.dirname, '../schema') })).url
  pool = new pg.Pool({ connectionString: url })
})
after(() => pool.end())

/** An instance that listens, and what it was told of READY tasks. */
async function listening(t: { after: (end: () => Promise<void>) => void }) {
  const told: unknown[] = []
  const ignore = (): void => undefined
  const wakeups = new Wakeups(
    pool,
    url,
    {
      onReady: (queueIds) => void told.push(queueIds),
      onReadySince: (queueId, sinceMs) => void told.push([queueId, sinceMs]),
      onScheduled: ignore,
      onQueueChange: ignore,
      onCancel: ignore,
      onReconnect: ignore,
    },
    quietLog,
  )
  await wakeups.start()
  t.after(() => wakeups.stop())
  return { wakeups, told }
}

test('the others hear since when the longest waiting of the announced tasks waits', async (t) => {
  const [here, there] = [await listening(t), await listening(t)]
  here.wakeups.announceReady(7, 1_700_000_000_123)
  // In the window that the first opened: all of them in one message.
  here.wakeups.announceReady(8, 30)
  here.wakeups.announceReady(9, -Infinity)
  here.wakeups.announceReady(8, 20)
  await until(() => there.told.length === 3)
  deepEqual(there.told, [
    [7, 1_700_000_000_123],
    [8, 20],
    [9, -Infinity],
  ])
  deepEqual(here.told, [])
})

test('a notice without times, as tasks.enqueue and the version before send it, tells of the queues only', async (t) => {
  const { told } = await listening(t)
  await pool.query(`select pg_notify('flowforge_tasks', 'enqueue ready 3,4')`)
  await until(() => told.length === 1)
  deepEqual(told, [[3, 4]])
})
