/** Redriving: a dead or cancelled task becomes READY again, and one that waits for its time need wait no longer. */
import { isUniqueViolation } from '@flowforge/runtime/sqlstate'
import { aborted, type StatusError } from '@flowforge/runtime/status'
import type pg from 'pg'
import type { TaskKey } from './read.ts'
import { uniqueKeyUsed } from './unique-key.ts'

/** What a task keeps when it is redriven. */
export const redrivenColumns =
  'project, id, queue_id, type, priority, attempt_timeout_ms, retry_policy, request_id, fairness_key, concurrency_key, unique_key, labels, traceparent, payload, create_time, start_time, attempt, session_id, worker, attempt_start, progress, error, attempts'

const redrive = `
with gone as materialized (
  delete from tasks.finished_task
  where project = $1 and id = $2 and state in (5, 6) and ($3::integer is null or revision = $3)
  returning *
), fair as (
  select (tasks.fair_ranks(array_agg(queue_id), array_agg(fairness_key)))[1] as rank
  from gone join tasks.queue on queue.id = gone.queue_id where queue.is_fair
), back as (
  -- Without its old expiry, which may be what it died of.
  insert into tasks.task (${redrivenColumns}, state, schedule_time, revision, rank_priority, fair_rank, is_blocked)
  select ${redrivenColumns}, 2, tasks.now(), revision + 1, -priority, coalesce((select rank from fair), 0), concurrency_key is not null from gone
  returning queue_id
), hurried as (
  update tasks.task set state = 2, schedule_time = tasks.now(), revision = revision + 1, is_blocked = concurrency_key is not null
  where project = $1 and id = $2 and state = 1 and ($3::integer is null or revision = $3)
  returning queue_id
)
select queue_id from back union all select queue_id from hurried`

/** The queue in which the task is READY now; undefined if there was nothing to redrive. */
export async function redriveTask(pool: pg.Pool, key: TaskKey, revision: number | null): Promise<number | undefined> {
  try {
    const { rows } = await pool.query({ name: 'redrive-task', text: redrive, values: [key.project, key.id, revision] })
    return rows[0]?.queue_id
  } catch (error) {
    if (!isUniqueViolation(error, 'task_unique')) throw error
    throw await refusal(pool, key)
  }
}

async function refusal(pool: pg.Pool, key: TaskKey): Promise<StatusError> {
  const { rows } = await pool.query({
    name: 'read-unique-holder',
    text: `select holder.project, holder.id, holder.unique_key from tasks.finished_task as gone
      join tasks.task as holder on holder.queue_id = gone.queue_id and holder.unique_key = gone.unique_key
      where gone.project = $1 and gone.id = $2`,
    values: [key.project, key.id],
  })
  // Finished, or redriven by somebody else, between the two statements.
  return rows[0]
    ? uniqueKeyUsed(rows[0].unique_key, rows[0])
    : aborted('CONFLICT', 'a concurrent change won; try again')
}
