/** Reading tasks by name, wherever they are. */
import type pg from 'pg'
import type { TaskRow } from '../tables.ts'

export interface TaskKey {
  project: string
  id: string
}

const shared =
  'project, id, queue_id, type, state, priority, schedule_time, expire_time, attempt_timeout_ms, retry_policy, request_id, fairness_key, concurrency_key, unique_key, labels, traceparent, payload, create_time, start_time, attempt, session_id, worker, attempt_start, progress, error, attempts, revision'

/** The columns of a TaskRow, selected from either half. */
export const hotColumns = `${shared}, cancel_requested, null::bytea as result, null::timestamptz as finish_time`
export const coldColumns = `${shared}, false as cancel_requested, result, finish_time`

/** The tasks that exist, in no particular order. */
export async function readTasks(pool: pg.Pool | pg.PoolClient, keys: TaskKey[]): Promise<TaskRow[]> {
  // One statement, one snapshot: a task that finishes meanwhile is seen in exactly one of the halves.
  const { rows } = await pool.query<TaskRow>({
    name: 'read-tasks',
    // Each looked up by itself, whatever the planner thinks of the table's size: OFFSET keeps it from joining them.
    text: `with key as (select * from unnest($1::text[], $2::uuid[]) as key(project, id))
      select task.* from key cross join lateral (
        select ${hotColumns} from tasks.task where project = key.project and id = key.id offset 0) as task
      union all
      select ${coldColumns} from tasks.finished_task join key using (project, id)`,
    values: [keys.map((key) => key.project), keys.map((key) => key.id)],
  })
  return rows
}

/** The task, or undefined if there is none of that name. */
export async function readTask(pool: pg.Pool | pg.PoolClient, key: TaskKey): Promise<TaskRow | undefined> {
  return (await readTasks(pool, [key]))[0]
}
