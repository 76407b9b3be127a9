/** Recording successes. The commonest end of an attempt, so it has the leanest statement; all others go through settle.ts. */
import type pg from 'pg'
import { insertFinished } from './finish.ts'
import { leaseId, type LeaseKey } from './fence.ts'
import { SUCCEEDED } from './states.ts'

export interface Success extends LeaseKey {
  result: Uint8Array | null
}

/** What has room for another task now. */
export interface Completed {
  queue_id: number
  /** True if the task had a concurrency key: another one may have got its slot. */
  is_keyed: boolean
}

const complete = `
with outcome as (
  select * from unnest($1::text[], $2::uuid[], $3::integer[], $4::bigint[], $5::bytea[]) as outcome(project, id, attempt, session_id, result)
), done as (
  -- The sum keeps the planner from looking through all leases of the session for each outcome.
  -- Fence and move are one statement: a crash between two would leave a finished task leased.
  delete from tasks.task using outcome
  where task.project = outcome.project and task.id = outcome.id and task.state = 3
    and task.attempt = outcome.attempt and task.session_id + 0 = outcome.session_id
  returning task.*, outcome.result
)
${insertFinished('done', { state: `${SUCCEEDED}`, result: 'done.result', error: 'null' })}
returning id, attempt, session_id, queue_id, concurrency_key is not null as is_keyed`

/** Moves each task whose lease still holds to SUCCEEDED; answers with those leases, by `leaseId`. */
export async function completeTasks(pool: pg.Pool, successes: Success[]): Promise<Map<string, Completed>> {
  const { rows } = await pool.query({
    name: 'complete-tasks',
    text: complete,
    values: [
      successes.map((success) => success.project),
      successes.map((success) => success.id),
      successes.map((success) => success.attempt),
      successes.map((success) => success.sessionId),
      successes.map((success) => success.result),
    ],
  })
  return new Map(rows.map((row) => [leaseId({ id: row.id, attempt: row.attempt, sessionId: row.session_id }), row]))
}
