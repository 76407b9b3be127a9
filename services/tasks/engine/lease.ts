/** Handing out tasks: each lease is (task, attempt, session), and no later verb touches a running task without it. */
import type pg from 'pg'
import type { TaskRow } from '../tables.ts'
import { int4Array, int8Array, textArray } from './binary-array.ts'
import { everything, type Stretch } from './scan-starts.ts'
import { RUNNING } from './states.ts'

/** Attempts run this long unless the task says otherwise, in milliseconds. */
export const attemptTimeoutMsDefault = 300_000

/** Room for one task at a worker. */
export interface Slot {
  sessionId: bigint
  worker: string
  /** How long the lease lasts if nobody extends it; null on a stream, whose session decides. */
  leaseMs: number | null
}

export interface LeasedRow extends TaskRow {
  lease_until: Date
}

/** With its place in the order of a plain queue, of which `schedule_time` is the other half. */
export interface PlainLeasedRow extends LeasedRow {
  rank_priority: number
}

/** What of a leased task the database tells; times in milliseconds, and null for what follows from the rest. */
const columns = `project, id, type, priority, ${msOf('schedule_time')}, ${msOf('expire_time')}, attempt_timeout_ms, retry_policy, request_id,
  fairness_key, concurrency_key, unique_key, labels, traceparent, payload, ${msOf('create_time')}, ${msOf('nullif(start_time, attempt_start)', 'start_time')},
  attempt, session_id, ${msOf('attempt_start')}, progress, error, nullif(attempts, '[]') as attempts, revision, ${msOf('lease_until')}`

function msOf(expression: string, name = expression): string {
  return `date_part('epoch', ${expression}) * 1000 as ${name}`
}

const inOrder = 'order by rank_priority, fair_rank, schedule_time, id'

// Types and the limit are queries of their own, so that a plan for these very values looks no cheaper than one for all:
// PostgreSQL would plan anew for each lease, which costs as much as leasing 20 tasks.
const lease = `
with candidate as materialized (
  select task.place
  from unnest((select $7::smallint[]), (select $8::float8[]), (select $9::smallint[])) as stretch(first, since_ms, last)
    cross join lateral (
      select ctid as place from tasks.task
      where queue_id = $1 and state = 2 and not is_blocked
        and (rank_priority, fair_rank, schedule_time) >= (stretch.first, 0::bigint, to_timestamp(stretch.since_ms / 1000))
        and rank_priority <= stretch.last
        and ((select $2::text[]) is null or type = any((select $2::text[])::text[]))
        and (expire_time is null or start_time is not null or expire_time > tasks.now())
        -- Should the queue have got limits a moment ago, this gives nothing rather than too much.
        and (select is_plain and not paused from tasks.queue where queue.id = $1)
      ${inOrder}
      limit (select cardinality($6::integer[]))
      for update skip locked) as task
  limit (select cardinality($6::integer[]))
), chosen as materialized (
  -- Of a limit that it does not know the planner expects little: so it fetches the rows one by one, by their places.
  select place, n from unnest((select array_agg(place) from candidate)::tid[]) with ordinality as chosen(place, n)
  limit (select cardinality($6::integer[]))
)
update tasks.task set
  state = 3,
  attempt = attempt + 1,
  revision = revision + 1,
  session_id = ($3::bigint[])[($6::integer[])[chosen.n]],
  worker = ($4::text[])[($6::integer[])[chosen.n]],
  attempt_start = tasks.now(),
  start_time = coalesce(start_time, tasks.now()),
  lease_is_unary = ($5::integer[])[($6::integer[])[chosen.n]] is not null,
  lease_until = tasks.now() + interval '1 ms' * least(
    coalesce(attempt_timeout_ms, ${attemptTimeoutMsDefault}), ($5::integer[])[($6::integer[])[chosen.n]])
from chosen
-- Locked rows stay where they are, so no index need be asked a second time.
where task.ctid = chosen.place
returning ${columns}, rank_priority`

/**
 * Leases the queue's next READY tasks, at most one for each slot, in the order (priority, fair rank, schedule_time, id).
 * Looks at these stretches of that order only, which must follow one another.
 *
 * Gives nothing from a queue with limits or fairness keys: for those there is `leaseSteered`.
 */
export async function leaseTasks(
  pool: pg.Pool,
  queueId: number,
  types: string[] | null,
  slots: Slot[],
  stretches: Stretch[] = everything,
): Promise<PlainLeasedRow[]> {
  const takers = takersOf(slots)
  const { rows } = await pool.query<PlainRow>({
    name: 'lease-tasks',
    text: lease,
    values: [
      queueId,
      types,
      ...takers.values,
      ...(['first', 'sinceMs', 'last'] as const).map((key) => stretches.map((stretch) => stretch[key])),
    ],
  })
  // However they were joined.
  return rows.sort(byOrder).map((row) => leasedRow(row, queueId, takers.workerOf))
}

/** The same from a queue that has limits or fairness keys; see tasks.lease_steered in the schema. */
export async function leaseSteered(
  pool: pg.Pool,
  queueId: number,
  types: string[] | null,
  slots: Slot[],
): Promise<LeasedRow[]> {
  const takers = takersOf(slots)
  const { rows } = await pool.query({
    name: 'lease-steered',
    text: `select ${columns} from tasks.lease_steered($1, $2, $3, $4, $5, $6, ${attemptTimeoutMsDefault})`,
    values: [queueId, types, ...takers.values],
  })
  return rows.map((row) => leasedRow(row, queueId, takers.workerOf))
}

/** Who takes, each once: the columns of takers, and for each slot the number of its taker, counted from 1. */
function takersOf(slots: Slot[]) {
  const workerOf = new Map<string, string>()
  const numbers = new Map<bigint, number>()
  const takers: Slot[] = []
  const slotTakers = slots.map((slot) => {
    const known = numbers.get(slot.sessionId)
    if (known !== undefined) return known
    numbers.set(slot.sessionId, takers.push(slot))
    workerOf.set(String(slot.sessionId), slot.worker)
    return takers.length
  })
  return {
    values: [
      int8Array(takers, (taker) => taker.sessionId),
      textArray(takers, (taker) => taker.worker),
      int4Array(takers, (taker) => taker.leaseMs),
      int4Array(slotTakers),
    ],
    workerOf,
  }
}

/** As the statements answer: TaskRow's names, but times as numbers. */
type Row = Record<'schedule_time' | 'create_time' | 'attempt_start' | 'lease_until', number> &
  Record<'expire_time' | 'start_time', number | null> &
  Omit<TaskRow, 'attempts'> & { session_id: string; attempts: TaskRow['attempts'] | null }

type PlainRow = Row & { rank_priority: number }

/** The order of a plain queue, in which no task has a fair rank. */
function byOrder(one: PlainRow, other: PlainRow): number {
  return (
    one.rank_priority - other.rank_priority || one.schedule_time - other.schedule_time || (one.id < other.id ? -1 : 1)
  )
}

function leasedRow<Extra>(row: Row & Extra, queueId: number, workerOf: Map<string, string>): LeasedRow & Extra {
  const attemptStart = dateOf(row.attempt_start)
  return {
    ...row,
    queue_id: queueId,
    state: RUNNING,
    schedule_time: dateOf(row.schedule_time),
    expire_time: row.expire_time === null ? null : dateOf(row.expire_time),
    create_time: dateOf(row.create_time),
    start_time: row.start_time === null ? attemptStart : dateOf(row.start_time),
    worker: workerOf.get(row.session_id)!,
    attempt_start: attemptStart,
    attempts: row.attempts ?? [],
    lease_until: dateOf(row.lease_until),
  }
}

/** Cut to whole milliseconds as the driver cuts other times; the fraction of a microsecond is the float's own error. */
function dateOf(ms: number): Date {
  return new Date(Math.floor(ms + 0.0005))
}

/** True if a task of the queue could be leased if nothing held it back. */
export async function hasReady(pool: pg.Pool, queueId: number): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'has-ready',
    text: `select from tasks.task where queue_id = $1 and state = 2 and not is_blocked limit 1`,
    values: [queueId],
  })
  return rowCount === 1
}
