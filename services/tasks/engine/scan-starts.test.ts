import { deepEqual, equal } from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createTestDatabase } from '@flowforge/runtime/testing/database'
import pg from 'pg'
import { leaseTasks, type PlainLeasedRow, type Slot } from './lease.ts'
import { everything, ScanStarts, type Stretch } from './scan-starts.ts'
import { released, settleTasks } from './settle.ts'

const slots = (count: number): Slot[] =>
  Array.from({ length: count }, () => ({ sessionId: 1n, worker: 'w', leaseMs: null }))

let pool: pg.Pool
before(async () => {
  const { url } = await createTestDatabase({ component: 'tasks', folder: join(import.meta.dirname, '../schema') })
  pool = new pg.Pool({ connectionString: url })
})
after(() => pool.end())

/** A queue of its own, tasks in it that wait for so many milliseconds of its time, and a lease from where it begins now. */
async function setup(t: { name: string }) {
  const { rows } = await pool.query(`insert into tasks.queue (project, name) values ('p', $1) returning id`, [t.name])
  const queueId: number = rows[0].id
  const starts = new ScanStarts()
  return {
    starts,
    queueId,
    async add(priority: number, timeMs: number): Promise<string> {
      const added = await pool.query(
        `insert into tasks.task (project, id, queue_id, type, state, priority, rank_priority, schedule_time, create_time)
        values ('p', gen_random_uuid(), $1, 'echo', 2, $2::smallint, -$2::smallint, to_timestamp($3 / 1000.0), now()) returning id`,
        [queueId, priority, timeMs],
      )
      return added.rows[0].id
    },
    lease: (asked: number) =>
      starts.scan(queueId, null, asked, (stretches) => leaseTasks(pool, queueId, null, slots(asked), stretches)),
    giveBack: ({ project, id, attempt }: PlainLeasedRow) =>
      settleTasks(pool, [released({ project, id, attempt, sessionId: 1n })], 5, new Uint8Array()),
  }
}

test('a task that waits from before the leases so far is not looked for until it is heard of', async (t) => {
  const { add, lease, giveBack, starts, queueId } = await setup(t)
  for (let timeMs = 0; timeMs < 3; timeMs++) await add(0, timeMs)
  const [first] = await lease(5)
  await giveBack(first!)
  equal((await lease(5)).length, 0)
  starts.lower(queueId, first!.schedule_time.getTime())
  deepEqual(
    (await lease(5)).map(({ id }) => id),
    [first!.id],
  )
})

test('a task that nobody told of is found once there is a doubt', async (t) => {
  const { add, lease, starts, queueId } = await setup(t)
  await add(0, 1_000_000)
  await lease(5)
  const id = await add(0, 0)
  equal((await lease(5)).length, 0)
  starts.doubt(queueId)
  deepEqual(
    (await lease(5)).map((row) => row.id),
    [id],
  )
})

test('any mixture of priorities, of new tasks and of ones given back is leased in the order of a look at everything', async (t) => {
  const { add, lease, giveBack, starts, queueId } = await setup(t)
  const ready = new Map<string, { priority: number; timeMs: number }>()
  const leased: PlainLeasedRow[] = []
  let seed = 7
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed % below
  }
  let nowMs = 0
  for (let step = 0; step < 400; step++) {
    nowMs += 10
    const what = random(4)
    if (what < 2) {
      const task = { priority: random(4) * 30 - 60, timeMs: nowMs - random(5) }
      ready.set(await add(task.priority, task.timeMs), task)
      starts.lower(queueId, task.timeMs)
    } else if (what === 2 && leased.length > 0) {
      const [row] = leased.splice(random(leased.length), 1)
      await giveBack(row!)
      starts.lower(queueId, row!.schedule_time.getTime())
      ready.set(row!.id, { priority: row!.priority, timeMs: row!.schedule_time.getTime() })
    } else {
      const asked = 1 + random(4)
      const order = [...ready].sort(([, a], [, b]) => b.priority - a.priority || a.timeMs - b.timeMs)
      const expected = order.slice(0, asked).map(([, task]) => task)
      const rows = await lease(asked)
      deepEqual(
        rows.map(({ priority, schedule_time }) => ({ priority, timeMs: schedule_time.getTime() })),
        expected,
        `step ${step}`,
      )
      for (const { id } of rows) ready.delete(id)
      leased.push(...rows)
    }
  }
})

test('what is heard of while a lease is under way counts for the next one', async (t) => {
  const { add, lease, starts, queueId } = await setup(t)
  await add(0, 1_000)
  await lease(5)
  let stretches: Stretch[] = []
  const look = (meanwhile: () => void) =>
    starts.scan(queueId, null, 1, async (given) => {
      stretches = given
      meanwhile()
      return []
    })
  await look(() => starts.lower(queueId, 500))
  equal(stretches.at(-1)!.sinceMs, 1_000)
  await look(() => starts.lower(queueId, -Infinity))
  equal(stretches.at(-1)!.sinceMs, 500)
  await look(() => undefined)
  deepEqual(stretches, everything)
})

test('after a slow look at everything a mere doubt looks at the last seconds only, a task heard of at everything', async (t) => {
  const { add, starts, queueId } = await setup(t)
  await add(0, 1_000_000)
  let stretches: Stretch[] = []
  const look = (delayS: number) =>
    starts.scan(queueId, null, 5, async (given) => {
      stretches = given
      await pool.query('select pg_sleep($1)', [delayS])
      return leaseTasks(pool, queueId, null, slots(5), given)
    })
  await look(0.5)
  starts.doubt(queueId)
  await look(0)
  equal(stretches.at(-1)!.sinceMs, 990_000)
  starts.lower(queueId, -Infinity)
  await look(0)
  deepEqual(stretches, everything)
})
