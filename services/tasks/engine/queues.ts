/** Queues as users see them: read, changed, and counted without counting. */
import type pg from 'pg'
import { isTaskOf } from './same-task.ts'
import type { QueueRow } from '../tables.ts'

const columns = `queue.id, queue.project, queue.name, queue.paused, extract(epoch from queue.retention)::float8 as retention_s, queue.create_time,
  queue.concurrency, queue.concurrency_per_key, queue.rate_per_s, queue.rate_burst, queue.fairness_weights, extract(epoch from queue.ageing)::float8 as ageing_s`

export interface QueueCounts {
  scheduled: number
  ready: number
  running: number
  dead: number
  oldest_ready_time: Date | null
}

const counted = `${columns}, count.*, oldest.oldest_ready_time from tasks.queue
  cross join lateral (
    select coalesce(sum(scheduled), 0)::float8 as scheduled, coalesce(sum(ready), 0)::float8 as ready,
      coalesce(sum(running), 0)::float8 as running, coalesce(sum(dead), 0)::float8 as dead
    from (
      select scheduled, ready, running, dead from tasks.queue_count where queue_id = queue.id
      union all
      select scheduled, ready, running, dead from tasks.queue_count_change where queue_id = queue.id
    ) as part
  ) as count
  cross join lateral (
    select min(schedule_time) as oldest_ready_time from tasks.task where queue_id + 0 = queue.id and state = 2
  ) as oldest`

/** The queue and how full it is; undefined if there is none of that name. */
export async function readQueue(
  pool: pg.Pool,
  project: string,
  name: string,
): Promise<(QueueRow & QueueCounts) | undefined> {
  const { rows } = await pool.query({
    name: 'read-queue',
    text: `select ${counted} where queue.project = $1 and queue.name = $2`,
    values: [project, name],
  })
  return rows[0]
}

/** Up to `limit` of the project's queues after `after`, by name. */
export async function listQueues(
  pool: pg.Pool,
  project: string,
  after: string,
  limit: number,
): Promise<(QueueRow & QueueCounts)[]> {
  const { rows } = await pool.query({
    name: 'list-queues',
    text: `select ${counted} where queue.project = $1 and queue.name > $2 order by queue.name limit $3`,
    values: [project, after, limit],
  })
  return rows
}

/** Pauses or resumes a queue; its id, or undefined if there is none of that name. */
export async function setPaused(
  pool: pg.Pool,
  project: string,
  name: string,
  paused: boolean,
): Promise<number | undefined> {
  const { rows } = await pool.query({
    name: 'pause-queue',
    text: `update tasks.queue set paused = $3 where project = $1 and name = $2 returning id`,
    values: [project, name, paused],
  })
  return rows[0]?.id
}

/** What of a queue can be set; undefined leaves it as it is, null takes a limit away. */
export interface QueueChange {
  /** How long tasks that finish from now on are kept. */
  retentionS?: number | undefined
  concurrency?: number | null | undefined
  concurrencyPerKey?: number | undefined
  ratePerS?: number | null | undefined
  rateBurst?: number | null | undefined
  fairnessWeights?: Record<string, number> | undefined
  ageingS?: number | null | undefined
}

/** Changes a queue's settings; they hold for everything that starts after this returns. */
export async function changeQueue(pool: pg.Pool, queueId: number, change: QueueChange): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    // The partition first: what finishes a moment later must find it.
    if (change.retentionS !== undefined)
      await client.query(`select tasks.ensure_partition(tasks.now() + make_interval(secs => $1))`, [change.retentionS])
    const { rows } = await client.query(`select concurrency_per_key from tasks.queue where id = $1 for update`, [
      queueId,
    ])
    await client.query(settings(queueId, change))
    if (change.concurrencyPerKey !== undefined)
      await resizeKeys(client, queueId, change.concurrencyPerKey - rows[0].concurrency_per_key)
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}

function settings(queueId: number, change: QueueChange): pg.QueryConfig {
  const columnOf: Record<string, [string, string]> = {
    retentionS: ['retention', 'make_interval(secs => $)'],
    concurrency: ['concurrency', '$::integer'],
    concurrencyPerKey: ['concurrency_per_key', '$::integer'],
    ratePerS: ['rate_per_s', '$::float8'],
    rateBurst: ['rate_burst', '$::integer'],
    fairnessWeights: ['fairness_weights', '$::jsonb'],
    ageingS: ['ageing', 'make_interval(secs => $)'],
  }
  const values: unknown[] = [queueId]
  const sets = Object.entries(change).flatMap(([key, value]) => {
    if (value === undefined) return []
    const [column, expression] = columnOf[key]!
    values.push(value)
    return [`${column} = ${expression.replace('$', `$${values.length}`)}`]
  })
  return { text: `update tasks.queue set ${['name = name', ...sets].join(', ')} where id = $1`, values }
}

/** Brings the held slots of every concurrency key into line with a limit that grew or shrank. */
async function resizeKeys(client: pg.PoolClient, queueId: number, growth: number): Promise<void> {
  if (growth > 0)
    await client.query(
      `select tasks.take_slots(array_agg(queue_id), array_agg(key), array_agg(0)) from tasks.concurrency where queue_id = $1`,
      [queueId],
    )
  // Tasks that have not started give their slots back, and as many as fit now get them again.
  if (growth < 0)
    await client.query(
      `update tasks.task set is_blocked = true where queue_id = $1 and state = 2 and not is_blocked and concurrency_key is not null`,
      [queueId],
    )
}

/** Tasks that waited for their queue's ageing time come before all others. True if there may be more. */
export async function ageTasks(pool: pg.Pool): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'age-tasks',
    text: `with aged as materialized (
        select task.project, task.id from tasks.queue cross join lateral (
          select project, id from tasks.task
          where queue_id + 0 = queue.id and state = 2 and schedule_time <= tasks.now() - queue.ageing and rank_priority > -32768
          order by schedule_time limit 500 for update skip locked) as task
        where queue.ageing is not null limit 1000
      )
      update tasks.task set rank_priority = -32768, fair_rank = 0 from aged where ${isTaskOf('aged')}`,
  })
  return (rowCount ?? 0) >= 500
}

/** Forgets fairness ranks that the queue's virtual time has passed, and concurrency keys that nobody holds or waits for. */
export async function forgetKeys(pool: pg.Pool): Promise<void> {
  await pool.query({
    name: 'forget-fairness-keys',
    text: `delete from tasks.fairness using tasks.queue_steering as steering
      where steering.queue_id = fairness.queue_id and fairness.next_rank <= steering.virtual_time`,
  })
  await pool.query({
    name: 'forget-concurrency-keys',
    text: `delete from tasks.concurrency as slots where held = 0 and not exists (
      select from tasks.task where queue_id = slots.queue_id and concurrency_key = slots.key and state = 2 and is_blocked)`,
  })
}

/**
 * Gives slots that are free to tasks that wait for them all the same: whoever freed one passed over a task that somebody
 * held and then left as it was, or a limit grew while its key was made. Answers with the queues of those tasks.
 */
export async function giveFreeSlots(pool: pg.Pool): Promise<number[]> {
  const { rows } = await pool.query({
    name: 'give-free-slots',
    text: `with waiting as materialized (
        select slots.queue_id, slots.key from tasks.concurrency as slots join tasks.queue on queue.id = slots.queue_id
        where slots.held < queue.concurrency_per_key and exists (
          select from tasks.task where queue_id = slots.queue_id and concurrency_key = slots.key and state = 2 and is_blocked)
        limit 1000
      )
      select array_agg(distinct queue_id) as queue_ids, tasks.take_slots(array_agg(queue_id), array_agg(key), array_agg(0)) from waiting`,
  })
  return rows[0].queue_ids ?? []
}

export const readyQueuesQuery = `select id from tasks.queue where not paused
  and exists (select from tasks.task where queue_id = queue.id and state = 2 and not is_blocked)`

/** Queues in which a task is READY. */
export async function readyQueues(pool: pg.Pool): Promise<number[]> {
  const { rows } = await pool.query({ name: 'ready-queues', text: readyQueuesQuery })
  return rows.map((row) => row.id)
}

/** Adds what changed to the totals. */
export async function rollUpCounts(pool: pg.Pool): Promise<void> {
  await pool.query({
    name: 'roll-up-counts',
    text: `with change as (
        delete from tasks.queue_count_change where ctid = any(array(select ctid from tasks.queue_count_change limit 10000 for update skip locked)) returning *
      )
      insert into tasks.queue_count as total (queue_id, scheduled, ready, running, dead)
      select queue_id, sum(scheduled), sum(ready), sum(running), sum(dead) from change group by queue_id order by queue_id
      on conflict (queue_id) do update set scheduled = total.scheduled + excluded.scheduled, ready = total.ready + excluded.ready,
        running = total.running + excluded.running, dead = total.dead + excluded.dead`,
  })
}
