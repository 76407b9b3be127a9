/** Cancelling many tasks: engine/cancel.ts for a chunk. */
import type pg from 'pg'
import { inChunks, type BulkResult, type ChunkRow, type Half, type Selection } from './bulk.ts'
import { insertFinished } from './finish.ts'
import { isTaskOf } from './same-task.ts'
import { CANCELLED } from './states.ts'
import type { Cancellation } from './wakeups.ts'

/** What waits, and what runs and was not asked to stop yet. */
export const cancellable: Half[] = [{ table: 'tasks.task', where: 'not cancel_requested' }]

export interface CancelledChunk {
  /** Ids of tasks that waited, and are CANCELLED. */
  cancelled: string[]
  /** Attempts to tell. */
  requested: Cancellation[]
}

interface Row extends ChunkRow {
  cancelled: string[]
  requested: { id: string; attempt: number; session_id: string }[]
}

/** @param follow Called after each chunk with what it changed. */
export function bulkCancel(
  pool: pg.Pool,
  selection: Selection,
  follow: (chunk: CancelledChunk) => Promise<void>,
): Promise<BulkResult> {
  return inChunks<Row>(
    pool,
    selection,
    cancellable,
    ({ ctes, isStill }) => `
with ${ctes}, locked as materialized (
  select project, id, state from tasks.task where ${isStill('target')} order by project, id for update
), told as (
  update tasks.task set cancel_requested = true, revision = task.revision + 1
  from locked where ${isTaskOf('locked')} and locked.state = 3
  returning task.id, task.attempt, task.session_id
), gone as (
  delete from tasks.task using locked
  where ${isTaskOf('locked')} and locked.state < 3
  returning task.*
), finished as (
  ${insertFinished('gone', { state: `${CANCELLED}` })}
)
select next, (select count(*)::integer from locked) as count, (select coalesce(array_agg(id::text), '{}') from gone) as cancelled,
  (select coalesce(jsonb_agg(jsonb_build_object('id', id, 'attempt', attempt, 'session_id', session_id::text)), '[]') from told) as requested
from chunk`,
    ({ cancelled, requested }) =>
      follow({
        cancelled,
        requested: requested.map(({ id, attempt, session_id }) => ({
          project: selection.project,
          id,
          attempt,
          sessionId: BigInt(session_id),
        })),
      }),
  )
}
