/** Every end of an attempt but success: failed, timed out, lost, released or cancelled. Decides in SQL what comes next. */
import type pg from 'pg'
import { insertFinished } from './finish.ts'
import { leaseColumns, stillHolds, type LeaseKey } from './fence.ts'
import { isTaskOf } from './same-task.ts'
import { Outcome } from './states.ts'

export interface Ending extends LeaseKey {
  /** The number of a flowforge.tasks.v1.AttemptOutcome. */
  outcome: number
  /** An encoded google.rpc.Status, and what of it the attempt list shows. */
  error: Uint8Array | null
  code: number | null
  message: string | null
  /** True if another attempt can't help. */
  isPermanent: boolean
  /** Until the next attempt; null for the backoff of the retry policy (failed, timed out) or none (lost, released). */
  delayMs: number | null
}

/** A task that is given back at once, its attempt not counted. */
export function released(lease: LeaseKey): Ending {
  return {
    ...lease,
    outcome: Outcome.released,
    error: null,
    code: null,
    message: null,
    isPermanent: false,
    delayMs: null,
  }
}

/** What a task became. */
export interface Settled {
  project: string
  id: string
  attempt: number
  session_id: string
  queue_id: number
  state: number
  schedule_time: Date
  /** True if the task has a concurrency key: another one may have got its slot. */
  is_keyed: boolean
}

const settle = `
with outcome as materialized (
  -- The limit is for the planner: see stillHolds.
  select * from unnest($1::text[], $2::uuid[], $3::integer[], $4::bigint[], $5::smallint[], $6::bytea[], $7::integer[], $8::text[], $9::boolean[], $10::float8[])
  as outcome(project, id, attempt, session_id, outcome, error, code, message, is_permanent, delay_ms)
  limit (select cardinality($2::uuid[]))
), counted as materialized (
  select task.project, task.id, task.cancel_requested, outcome.outcome, outcome.is_permanent, outcome.delay_ms, task.retry_policy,
    task.failures + (outcome.outcome in (2, 6))::integer as failures,
    task.losses + (outcome.outcome = 4)::integer as losses,
    coalesce(outcome.error, task.error) as error,
    tasks.append_attempt(task.attempts, jsonb_strip_nulls(jsonb_build_object(
      'number', task.attempt, 'worker', task.worker, 'outcome', outcome.outcome, 'code', outcome.code, 'message', outcome.message,
      'start', floor(extract(epoch from task.attempt_start) * 1000), 'finish', floor(extract(epoch from tasks.now()) * 1000)))) as attempts
  from tasks.task join outcome on ${stillHolds('outcome')}
  for update of task
), delayed as (
  select *, tasks.now() + coalesce(make_interval(secs => delay_ms / 1000),
    case when outcome in (2, 6) then tasks.backoff(retry_policy, failures)
         -- The first loss is nobody's fault; a task that loses its worker again and again may be the cause of it.
         when outcome = 4 and losses > 1 then tasks.backoff(retry_policy, losses - 1)
         else interval '0' end) as next_time
  from counted
), ended as materialized (
  select *, case when cancel_requested or outcome = 3 then 5
                 when is_permanent or failures >= coalesce((retry_policy->>'max_attempts')::integer, 10) or losses >= $11 then 6
                 when next_time > tasks.now() then 1 else 2 end as next_state
  from delayed
), waiting as (
  update tasks.task set state = ended.next_state, 
    -- Who need not wait keeps the place that it had.
    schedule_time = case ended.next_state when 1 then ended.next_time else task.schedule_time end, failures = ended.failures, losses = ended.losses,
    attempts = ended.attempts, error = ended.error, lease_until = null, revision = task.revision + 1,
    is_blocked = ended.next_state = 2 and task.concurrency_key is not null
  from ended
  where ${isTaskOf('ended')} and ended.next_state < 3
  returning task.project, task.id, task.attempt, task.session_id, task.queue_id, task.state, task.schedule_time,
    task.concurrency_key is not null as is_keyed
), gone as (
  delete from tasks.task using ended
  where ${isTaskOf('ended')} and ended.next_state > 3
  returning task.*, ended.next_state, ended.attempts as all_attempts,
    case when ended.next_state = 6 and ended.losses >= $11 then $12::bytea else ended.error end as last_error
), finished as (
  ${insertFinished('gone', { state: 'gone.next_state', error: 'gone.last_error', attempts: 'gone.all_attempts' })}
)
select project, id, attempt, session_id, queue_id, state, schedule_time, is_keyed from waiting
union all
select project, id, attempt, session_id, queue_id, next_state, schedule_time, concurrency_key is not null from gone`

/**
 * Ends each attempt whose lease still holds, and answers with what those tasks became.
 *
 * @param lossesMax Losses after which a task is DEAD with `quarantineError`, an encoded google.rpc.Status.
 */
export async function settleTasks(
  pool: pg.Pool | pg.PoolClient,
  endings: Ending[],
  lossesMax: number,
  quarantineError: Uint8Array,
): Promise<Settled[]> {
  const column = <K extends keyof Ending>(key: K) => endings.map((ending) => ending[key])
  const { rows } = await pool.query<Settled>({
    name: 'settle-tasks',
    text: settle,
    values: [
      ...leaseColumns(endings),
      column('outcome'),
      column('error'),
      column('code'),
      column('message'),
      column('isPermanent'),
      column('delayMs'),
      lossesMax,
      Buffer.from(quarantineError),
    ],
  })
  return rows
}
