/** Deleting a task that does not run. */
import type pg from 'pg'
import type { TaskKey } from './read.ts'

const remove = `
with waiting as (
  delete from tasks.task where project = $1 and id = $2 and state < 3 and ($3::integer is null or revision = $3) returning id
), finished as (
  delete from tasks.finished_task where project = $1 and id = $2 and ($3::integer is null or revision = $3) returning id
)
select id from waiting union all select id from finished`

/** True if it was there and is gone. */
export async function deleteTask(pool: pg.Pool, key: TaskKey, revision: number | null): Promise<boolean> {
  const { rows } = await pool.query({ name: 'delete-task', text: remove, values: [key.project, key.id, revision] })
  return rows.length > 0
}
