/** Following what finishes, in an order that misses nothing. */
import type pg from 'pg'
import type { TaskRow } from '../tables.ts'
import { coldColumns } from './read.ts'

/**
 * A place in the order of finishing: the transaction that finished a task, and the task. Transactions may commit in
 * another order than they began, so readers go only as far as the oldest one still running.
 */
export interface Position {
  xid: string
  id: string
}

const beginning = '00000000-0000-0000-0000-000000000000'

/**
 * The oldest transaction that was running when the statement began, without those of other databases: their writes are
 * none of ours, and one of them may run for hours. One that has ended meanwhile counts, for its rows are not seen yet.
 */
const horizonQuery = `
  select coalesce(
    (select min(running.xid) from pg_snapshot_xip(snapshot) as running(xid) where not exists (
      select from pg_stat_activity as activity
      where activity.backend_xid = running.xid::xid and activity.datname <> current_database())),
    pg_snapshot_xmax(snapshot)) as xid
  from pg_current_snapshot() as snapshot`

/** Where whatever finishes from now on comes after. */
export async function currentPosition(pool: pg.Pool): Promise<Position> {
  const { rows } = await pool.query({
    name: 'current-position',
    text: `select xid::text from (${horizonQuery}) as horizon`,
  })
  return { xid: rows[0].xid, id: beginning }
}

/** Up to `limit` tasks of the projects that finished after the position, and the position after them. */
export async function finishedAfter(
  pool: pg.Pool,
  projects: string[],
  after: Position,
  limit: number,
): Promise<{ rows: TaskRow[]; position: Position }> {
  const { rows } = await pool.query<TaskRow & { finish_xid: string; horizon: string; is_task: boolean }>({
    name: 'finished-after',
    text: `with horizon as materialized (${horizonQuery}),
      next as materialized (
        select ${coldColumns}, finish_xid from tasks.finished_task
        where (finish_xid, id) > ($2::text::xid8, $3::uuid) and finish_xid < (select xid from horizon) and project = any($1)
        order by finish_xid, id limit $4
      )
      select next.*, next.id is not null as is_task, horizon.xid::text as horizon from horizon left join next on true
      order by next.finish_xid, next.id`,
    values: [projects, after.xid, after.id, limit],
  })
  const tasks = rows.filter((row) => row.is_task)
  const last = tasks.at(-1)
  if (tasks.length === limit && last) return { rows: tasks, position: { xid: last.finish_xid, id: last.id } }
  // Everything below the horizon has been seen.
  const horizon = rows[0]!.horizon
  return { rows: tasks, position: BigInt(horizon) > BigInt(after.xid) ? { xid: horizon, id: beginning } : after }
}
