/** Recording successes. The commonest end of an attempt, so it has the leanest statement; all others go through settle.ts. */
import type pg from 'pg'
import { byteaArray } from './binary-array.ts'
import { insertFinished } from './finish.ts'
import { leaseColumns, stillHolds, type LeaseKey } from './fence.ts'
import { SUCCEEDED } from './states.ts'

export interface Success extends LeaseKey {
  result: Uint8Array | null
}

/** What became of a batch of successes. */
export interface Completed {
  /** The places in the batch of those whose lease held no longer. */
  refused: Set<number>
  /** Queues of the others, and those of them whose tasks had concurrency keys: another task may have got the slot. */
  queueIds: number[]
  keyedQueueIds: number[]
}

/** The CTEs that move what still holds its lease, the last of them `completed` with one row; its parameters from $`first` on. */
export function completion(first: number): string {
  const parameter = (n: number) => `$${first + n}`
  return `outcome as materialized (
  -- The limit is for the planner: see stillHolds.
  select * from unnest(${parameter(0)}::text[], ${parameter(1)}::uuid[], ${parameter(2)}::integer[], ${parameter(3)}::bigint[], ${parameter(4)}::bytea[])
    with ordinality as outcome(project, id, attempt, session_id, result, n)
  limit (select cardinality(${parameter(1)}::uuid[]))
), done as (
  -- Fence and move are one statement: a crash between two would leave a finished task leased.
  delete from tasks.task using outcome
  where ${stillHolds('outcome')}
  returning task.*, outcome.result, outcome.n
), finished as (
  ${insertFinished('done', { state: `${SUCCEEDED}`, result: 'done.result', error: 'null' })}
), of_queue as (
  select queue_id, count(*) as count, bool_or(concurrency_key is not null) as is_keyed from done group by queue_id
), completed as (
  -- One row and not one for each: almost always none was refused.
  select array_agg(queue_id) as "queueIds", array_agg(queue_id) filter (where is_keyed) as "keyedQueueIds",
    case when coalesce(sum(count), 0) < cardinality(${parameter(1)}::uuid[]) then array(select n::integer from outcome except select n::integer from done) end as refused
  from of_queue
)`
}

/** What `completed` answers with. */
export interface CompletedRow {
  refused: number[] | null
  queueIds: number[] | null
  keyedQueueIds: number[] | null
}

/** The parameters of `completion`. */
export function completionValues(successes: Success[]): unknown[] {
  return [...leaseColumns(successes), byteaArray(successes, (success) => success.result)]
}

export function completedOf({ refused, queueIds, keyedQueueIds }: CompletedRow): Completed {
  return {
    refused: new Set((refused ?? []).map((n) => n - 1)),
    queueIds: queueIds ?? [],
    keyedQueueIds: keyedQueueIds ?? [],
  }
}

/** Moves each task whose lease still holds to SUCCEEDED. */
export async function completeTasks(pool: pg.Pool, successes: Success[]): Promise<Completed> {
  const { rows } = await pool.query<CompletedRow>({
    name: 'complete-tasks',
    text: `with ${completion(1)} select * from completed`,
    values: completionValues(successes),
  })
  return completedOf(rows[0]!)
}
