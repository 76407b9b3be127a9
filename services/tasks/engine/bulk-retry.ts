/** Redriving many tasks: engine/redrive.ts for a chunk, all at once or so many per second. */
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
  /** When the first task of the next chunk may start. */
  next_start: Date | null
}

/**
 * Oldest first. Of tasks with one unique key only the first comes back, and none while another one has the key.
 *
 * @param ratePerSecond So many become READY per second, SCHEDULED until then; all at once if it is 0.
 * @param follow Called after each chunk with what it changed.
 */
export function bulkRetry(
  pool: pg.Pool,
  selection: Selection,
  ratePerSecond: number,
  follow: (chunk: RetriedChunk) => void,
): Promise<BulkResult> {
  let start: Date | null = null
  return inChunks<Row>(
    pool,
    selection,
    retryable,
    (chunk) => (ratePerSecond === 0 ? retryAtOnce(chunk) : retryAtRate(chunk, ratePerSecond, start)),
    ({ ids, queue_ids, next_start }) => {
      start = next_start
      follow({ ids, queueIds: queue_ids })
    },
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
${answer('null::timestamptz')}`
}

function retryAtRate(chunk: Chunk, ratePerSecond: number, start: Date | null): string {
  const rate = `${chunk.parameter(ratePerSecond)}::float8`
  // If this chunk took longer than its tasks last, the next ones are not to catch up in a burst.
  const from = `greatest(tasks.now(), ${chunk.parameter(start)}::timestamptz)`
  return `
with ${takeBack(chunk)}, back as (
  -- Ranked when they are promoted.
  insert into tasks.task (${redrivenColumns}, state, schedule_time, revision, rank_priority)
  select ${goneColumns}, 1, ${from} + make_interval(secs => (row_number() over (order by id) - 1) / ${rate}), gone.revision + 1, -gone.priority
  from gone
  returning id, queue_id
)
${answer(`${from} + make_interval(secs => (select count(*) from back) / ${rate})`)}`
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

function answer(nextStart: string): string {
  return `select next, (select count(*)::integer from back) as count, (select coalesce(array_agg(id::text), '{}') from back) as ids,
  (select coalesce(array_agg(distinct queue_id), '{}') from back) as queue_ids, ${nextStart} as next_start
from chunk`
}
