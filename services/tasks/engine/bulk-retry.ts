/** Redriving many tasks: engine/redrive.ts for a chunk, all at once or so many per second. */
import { createHash } from 'node:crypto'
import type pg from 'pg'
import { inChunks, type BulkResult, type Chunk, type ChunkRow, type Half, type Selection } from './bulk.ts'
import { redrivenColumns } from './redrive.ts'

/** What is DEAD or CANCELLED. */
export const retryable: Half[] = [{ table: 'tasks.finished_task', where: 'state in (5, 6)' }]

export interface RetriedChunk {
  ids: string[]
  queueIds: number[]
}

interface Row extends ChunkRow {
  ids: string[]
  queue_ids: number[]
}

/**
 * Oldest first. Of tasks with one unique key only the first comes back, and none while another one has the key.
 *
 * @param ratePerSecond So many become READY per second, SCHEDULED until then; all at once if it is 0. Calls with the same
 *   filter share it: each goes on where those before it and beside it have planned to.
 * @param follow Called after each chunk with what it changed.
 */
export async function bulkRetry(
  pool: pg.Pool,
  selection: Selection,
  ratePerSecond: number,
  follow: (chunk: RetriedChunk) => void,
): Promise<BulkResult> {
  const pace = { project: selection.project, filter: digestOf(selection.condition) }
  if (ratePerSecond > 0) await openPace(pool, pace)
  return inChunks<Row>(
    pool,
    selection,
    retryable,
    (chunk) => (ratePerSecond === 0 ? retryAtOnce(chunk) : retryAtRate(chunk, ratePerSecond, pace)),
    ({ ids, queue_ids }) => follow({ ids, queueIds: queue_ids }),
  )
}

function retryAtOnce(chunk: Chunk): string {
  return `
with ${takeBack(chunk)}, fair as (
  select array_agg(gone.id order by gone.id) as ids,
    tasks.fair_ranks(array_agg(queue_id order by gone.id), array_agg(fairness_key order by gone.id)) as ranks
  from gone join tasks.queue on queue.id = gone.queue_id where queue.is_fair
), ranked as (
  select id, rank from fair cross join unnest(ids, ranks) as ranked(id, rank)
), back as (
  insert into tasks.task (${redrivenColumns}, state, schedule_time, revision, rank_priority, fair_rank, is_blocked)
  select ${goneColumns}, 2, tasks.now(), gone.revision + 1, -gone.priority, coalesce(ranked.rank, 0), gone.concurrency_key is not null
  from gone left join ranked using (id)
  returning id, queue_id
)
${answer}`
}

function retryAtRate(chunk: Chunk, ratePerSecond: number, { project, filter }: Pace): string {
  const rate = `${chunk.parameter(ratePerSecond)}::float8`
  const isIt = `project = ${chunk.parameter(project)} and filter = ${chunk.parameter(filter)}`
  return `
with pace as materialized (
  -- Others with this filter wait here, and see what was planned.
  select next_start from tasks.retry_pace where ${isIt} for update
), start as (
  -- What is late is not caught up with in a burst.
  select greatest(tasks.now(), (select next_start from pace)) as time
), ${takeBack(chunk)}, back as (
  -- Ranked when they are promoted.
  insert into tasks.task (${redrivenColumns}, state, schedule_time, revision, rank_priority)
  select ${goneColumns}, 1, start.time + make_interval(secs => (row_number() over (order by id) - 1) / ${rate}), gone.revision + 1, -gone.priority
  from gone cross join start
  returning id, queue_id
), planned as (
  update tasks.retry_pace set next_start = start.time + make_interval(secs => (select count(*) from back) / ${rate})
  from start where ${isIt}
)
${answer}`
}

const goneColumns = redrivenColumns
  .split(', ')
  .map((column) => `gone.${column}`)
  .join(', ')

/** Takes the tasks out of the cold half. */
function takeBack({ ctes, isStill }: Chunk): string {
  return `${ctes}, chosen as (
  select id from (select *, row_number() over (partition by queue_id, unique_key order by id) as place from target) as found
  where unique_key is null or (place = 1 and not exists (
    select from tasks.task where task.queue_id = found.queue_id and task.unique_key = found.unique_key))
), gone as materialized (
  delete from tasks.finished_task where ${isStill('chosen')} returning *
)`
}

const answer = `select next, (select count(*)::integer from back) as count, (select coalesce(array_agg(id::text), '{}') from back) as ids,
  (select coalesce(array_agg(distinct queue_id), '{}') from back) as queue_ids
from chunk`

/** Which row of tasks.retry_pace. */
interface Pace {
  project: string
  filter: Buffer
}

function digestOf({ sql, values }: Selection['condition']): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([sql, values]))
    .digest()
}

/** Makes the row that keeps a rate, unless there is one; removes those that have long had nothing to say. */
async function openPace(pool: pg.Pool, { project, filter }: Pace): Promise<void> {
  await pool.query(`delete from tasks.retry_pace where next_start < tasks.now() - interval '1 hour'`)
  await pool.query(
    `insert into tasks.retry_pace (project, filter, next_start) values ($1, $2, tasks.now()) on conflict do nothing`,
    [project, filter],
  )
}
