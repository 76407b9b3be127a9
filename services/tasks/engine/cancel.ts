/** Cancelling: what waits ends at once, what runs is told to stop. */
import type pg from 'pg'
import { insertFinished } from './finish.ts'
import type { TaskKey } from './read.ts'
import { isTaskOf } from './same-task.ts'
import { CANCELLED } from './states.ts'

export type CancelResult =
  | { kind: 'cancelled'; queueId: number }
  /** The attempt was asked to stop; its worker is the one to be told. */
  | { kind: 'requested'; attempt: number; sessionId: bigint }
  /** There is no waiting or running task of that name (and, if asked for, revision). */
  | { kind: 'none' }

const cancel = `
with target as materialized (
  select project, id, state from tasks.task
  where project = $1 and id = $2 and ($3::integer is null or revision = $3)
  for update
), told as (
  update tasks.task set cancel_requested = true, revision = task.revision + 1
  from target where ${isTaskOf('target')} and target.state = 3
  returning task.attempt, task.session_id
), gone as (
  delete from tasks.task using target
  where ${isTaskOf('target')} and target.state < 3
  returning task.*
), finished as (
  ${insertFinished('gone', { state: `${CANCELLED}` })}
)
select 'cancelled' as kind, queue_id, null::integer as attempt, null::bigint as session_id from gone
union all
select 'requested', null, attempt, session_id from told`

/** @param revision Act only on this one; on any, if null. */
export async function cancelTask(pool: pg.Pool, key: TaskKey, revision: number | null): Promise<CancelResult> {
  const { rows } = await pool.query({ name: 'cancel-task', text: cancel, values: [key.project, key.id, revision] })
  const row = rows[0]
  if (!row) return { kind: 'none' }
  if (row.kind === 'cancelled') return { kind: 'cancelled', queueId: row.queue_id }
  return { kind: 'requested', attempt: row.attempt, sessionId: BigInt(row.session_id) }
}
