/** How long request IDs are remembered. */
import type pg from 'pg'

const batchMax = 5000
const keptDays = 30

/** Forgets request IDs whose time is over; true if there may be more. */
export async function forgetRequests(pool: pg.Pool): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'forget-requests',
    text: `delete from tasks.request where (project, request_id) in (
      select project, request_id from tasks.request where expire_time <= tasks.now() order by expire_time limit ${batchMax} for update skip locked)`,
  })
  return rowCount === batchMax
}

/** Remembers request IDs for 30 days from now or from an instant to come, if that is longer than they were to be. */
export async function keepRequests(
  pool: pg.Pool,
  project: string,
  requests: { requestId: string; after: Date }[],
): Promise<void> {
  await pool.query({
    name: 'keep-requests',
    text: `update tasks.request set expire_time = greatest(expire_time, tasks.now() + interval '${keptDays} days', kept.after + interval '${keptDays} days')
      from unnest($2::text[], $3::timestamptz[]) as kept(request_id, after)
      where request.project = $1 and request.request_id = kept.request_id`,
    values: [project, requests.map(({ requestId }) => requestId), requests.map(({ after }) => after)],
  })
}
