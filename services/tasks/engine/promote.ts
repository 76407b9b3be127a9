/** SCHEDULED tasks whose time has come become READY. */
import type pg from 'pg'
import { isTaskOf } from './same-task.ts'

export interface Promotion {
  /** The queues that have new READY tasks. */
  queueIds: number[]
  /** The earliest of their schedule times, in milliseconds since the epoch. */
  sinceMs: number
  /** Milliseconds until the next one is due; undefined if none waits. */
  nextMs: number | undefined
  isFull: boolean
}

const batchMax = 1000

/** True of a SCHEDULED task whose time has come. */
export const isPromotable = 'state = 1 and schedule_time <= tasks.now()'

const promote = `
with due as materialized (
  select project, id, queue_id, fairness_key, row_number() over (order by schedule_time) as n from (
    select project, id, queue_id, fairness_key, schedule_time from tasks.task where ${isPromotable}
    order by schedule_time limit ${batchMax} for update skip locked) as locked
), fair as (
  -- Ranked now and not when they were created: what waited for its time has no claim to the turns since then.
  select array_agg(due.id order by n) as ids, tasks.fair_ranks(array_agg(queue_id order by n), array_agg(fairness_key order by n)) as ranks
  from due join tasks.queue on queue.id = due.queue_id where queue.is_fair or due.fairness_key is not null
), ranked as (
  select id, rank from fair cross join unnest(ids, ranks) as ranked(id, rank)
), promoted as (
  update tasks.task set state = 2, revision = task.revision + 1, fair_rank = coalesce(ranked.rank, 0), is_blocked = task.concurrency_key is not null
  from due left join ranked using (id) where ${isTaskOf('due')}
  returning task.queue_id, task.schedule_time
)
select (select array_agg(distinct queue_id) from promoted) as queue_ids, (select count(*)::integer from promoted) as count,
  (select extract(epoch from min(schedule_time)) * 1000 from promoted)::float8 as since_ms,
  (select extract(epoch from min(schedule_time) - tasks.now()) * 1000 from tasks.task where state = 1 and schedule_time > tasks.now())::float8 as next_ms`

/** Promotes up to 1,000 tasks; call again at once while `isFull`. */
export async function promoteTasks(pool: pg.Pool): Promise<Promotion> {
  const { rows } = await pool.query({ name: 'promote-tasks', text: promote })
  return {
    queueIds: rows[0].queue_ids ?? [],
    sinceMs: rows[0].since_ms ?? Infinity,
    nextMs: rows[0].next_ms ?? undefined,
    isFull: rows[0].count === batchMax,
  }
}
