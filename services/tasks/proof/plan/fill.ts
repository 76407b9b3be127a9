/** Tables filled with as many tasks as a test of plans needs, set by set and without the triggers. */
import type pg from 'pg'
import { READY, RUNNING } from '../../engine/states.ts'

export interface Filling {
  queueId: number
  count: number
  state?: number
  /** SQL over the number `n` of the task, from 1 on. */
  concurrencyKey?: string
  isBlocked?: boolean
  scheduleTime?: string
}

const project = 'plan'

/** In the order in which they are made, as ids of version 7 are: one prefix for each filling. */
let fillings = 0
const nextId = (): string =>
  `('01900000-0000-7000-8${(fillings++).toString(16).padStart(3, '0')}-' || lpad(to_hex(n), 12, '0'))::uuid`

/** Makes a queue. */
export async function makeQueue(pool: pg.Pool, name: string): Promise<number> {
  const { rows } = await pool.query(`insert into tasks.queue (project, name) values ($1, $2) returning id`, [
    project,
    name,
  ])
  return rows[0].id
}

/** Adds tasks that wait, are blocked or run as first attempts of session 1; only a superuser may go without triggers. */
export async function fill(admin: pg.Pool, filling: Filling): Promise<void> {
  const { queueId, count, state = READY, concurrencyKey = 'null', isBlocked = false, scheduleTime = 'now()' } = filling
  await withoutTriggers(admin, (client) =>
    client.query(
      `insert into tasks.task (project, id, queue_id, type, state, priority, schedule_time, create_time, rank_priority, is_blocked, concurrency_key, attempt, session_id)
      select '${project}', ${nextId()}, $1, 'echo', $2::smallint, 0, ${scheduleTime} + n * interval '1 microsecond', now(), 0, $3, ${concurrencyKey}, ($2 = ${RUNNING})::integer, nullif(($2 = ${RUNNING})::integer, 0)
      from generate_series(1, $4::integer) as n`,
      [queueId, state, isBlocked, count],
    ),
  )
}

/** Adds finished tasks, spread over the partitions that there are. */
export async function fillFinished(admin: pg.Pool, queueId: number, count: number, state: string): Promise<void> {
  await withoutTriggers(admin, (client) =>
    client.query(
      `insert into tasks.finished_task (project, id, queue_id, type, state, priority, schedule_time, create_time, attempt, attempts, revision, finish_time, retain_until)
      select '${project}', ${nextId()}, $1, 'echo', ${state}, 0, now(), now(), 1, '[]', 1, now(), now() + interval '14 days' + n % 3 * interval '1 day'
      from generate_series(1, $2::integer) as n`,
      [queueId, count],
    ),
  )
}

async function withoutTriggers(admin: pg.Pool, run: (client: pg.PoolClient) => Promise<unknown>): Promise<void> {
  const client = await admin.connect()
  try {
    await client.query('begin')
    await client.query('set local session_replication_role = replica')
    await run(client)
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}

/** Adds tasks as a creation does, with the triggers; answers with their ids in the order in which they will be leased. */
export async function fillByTriggers(
  pool: pg.Pool,
  queueId: number,
  count: number,
  scheduleTime = 'now()',
  concurrencyKey: string | null = null,
): Promise<string[]> {
  const { rows } = await pool.query(
    `insert into tasks.task (project, id, queue_id, type, state, priority, schedule_time, create_time, rank_priority, is_blocked, concurrency_key)
    select '${project}', ${nextId()}, $1, 'echo', case when ${scheduleTime} > now() then 1 else 2 end, 0, ${scheduleTime} + n * interval '1 microsecond',
      now(), 0, $3::text is not null, $3 from generate_series(1, $2::integer) as n returning id`,
    [queueId, count, concurrencyKey],
  )
  return rows.map((row) => row.id)
}
