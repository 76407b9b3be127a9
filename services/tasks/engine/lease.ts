/** Handing out tasks: each lease is (task, attempt, session), and no later verb touches a running task without it. */
import type pg from 'pg'
import type { TaskRow } from '../tables.ts'

/** Attempts run this long unless the task says otherwise, in milliseconds. */
export const attemptTimeoutMsDefault = 300_000

/** Room for one task at a worker. */
export interface Slot {
  sessionId: bigint
  worker: string
  /** How long the lease lasts if nobody extends it; null on a stream, whose session decides. */
  leaseMs: number | null
}

export interface LeasedRow extends TaskRow {
  lease_until: Date
}

const lease = `
with candidate as materialized (
  select id from tasks.task
  where queue_id = $1 and state = 2 and not is_blocked and ($2::text[] is null or type = any($2))
    and (expire_time is null or start_time is not null or expire_time > tasks.now())
    -- Should the queue have got limits a moment ago, this gives nothing rather than too much.
    and (select is_plain and not paused from tasks.queue where queue.id = $1)
  order by rank_priority, fair_rank, schedule_time, id
  limit $3
  for update skip locked
), chosen as materialized (
  -- As an array, and slots by place in it: joins with unknown numbers of rows were planned over the whole table.
  select array_agg(id) as ids from candidate
), leased as (
  update tasks.task set
    state = 3,
    attempt = task.attempt + 1,
    revision = task.revision + 1,
    session_id = ($4::bigint[])[array_position(chosen.ids, task.id)],
    worker = ($5::text[])[array_position(chosen.ids, task.id)],
    attempt_start = tasks.now(),
    start_time = coalesce(task.start_time, tasks.now()),
    lease_is_unary = ($6::integer[])[array_position(chosen.ids, task.id)] is not null,
    lease_until = tasks.now() + make_interval(secs =>
      least(coalesce(task.attempt_timeout_ms, ${attemptTimeoutMsDefault}), ($6::integer[])[array_position(chosen.ids, task.id)]) / 1000.0)
  from chosen
  where task.project = (select project from tasks.queue where queue.id = $1) and task.id = any(chosen.ids)
  returning task.*, array_position(chosen.ids, task.id) as place
)
select project, id, queue_id, type, state, priority, schedule_time, expire_time, attempt_timeout_ms, retry_policy,
  request_id, fairness_key, concurrency_key, unique_key, labels, traceparent, payload, create_time, start_time, attempt,
  session_id, worker, attempt_start, progress, error, attempts, revision, lease_until
from leased order by place`

/** Leases from a queue that has limits or fairness keys; see tasks.lease_steered in the schema. */
export async function leaseSteered(
  pool: pg.Pool,
  queueId: number,
  types: string[] | null,
  slots: Slot[],
): Promise<LeasedRow[]> {
  const { rows } = await pool.query<LeasedRow>({
    name: 'lease-steered',
    text: `select * from tasks.lease_steered($1, $2, $3, $4, $5, ${attemptTimeoutMsDefault})`,
    values: [
      queueId,
      types,
      slots.map((slot) => slot.sessionId),
      slots.map((slot) => slot.worker),
      slots.map((slot) => slot.leaseMs),
    ],
  })
  return rows
}

/** True if a task of the queue could be leased if nothing held it back. */
export async function hasReady(pool: pg.Pool, queueId: number): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'has-ready',
    text: `select from tasks.task where queue_id = $1 and state = 2 and not is_blocked limit 1`,
    values: [queueId],
  })
  return rowCount === 1
}

/** Leases the queue's next READY tasks, at most one for each slot, in the order (priority, fair rank, schedule_time, id). */
export async function leaseTasks(
  pool: pg.Pool,
  queueId: number,
  types: string[] | null,
  slots: Slot[],
): Promise<LeasedRow[]> {
  const { rows } = await pool.query<LeasedRow>({
    name: 'lease-tasks',
    text: lease,
    values: [
      queueId,
      types,
      slots.length,
      slots.map((slot) => slot.sessionId),
      slots.map((slot) => slot.worker),
      slots.map((slot) => slot.leaseMs),
    ],
  })
  return rows
}
