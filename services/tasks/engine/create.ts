/** Creating tasks: one statement for all that arrive while the one before is in flight. */
import { alreadyExists } from '@flowforge/runtime/status'
import type pg from 'pg'
import type { RetryPolicyColumn, TaskRow } from '../tables.ts'
import { readTasks } from './read.ts'
import { isUnreadable, type Sealer } from './seal.ts'

/** A checked task, ready to be stored. */
export interface NewTask {
  project: string
  id: string
  queueId: number
  type: string
  priority: number
  scheduleTime: Date | null
  expireTime: Date | null
  attemptTimeoutMs: number | null
  retryPolicy: RetryPolicyColumn | null
  requestId: string | null
  /** True if the task gets a fair rank: it has a fairness key, or its queue has seen one. */
  isFair: boolean
  /** SHA-256 that tells whether a repeat with the same request ID asks for the same task. */
  fingerprint: Buffer | null
  fairnessKey: string | null
  concurrencyKey: string | null
  uniqueKey: string | null
  /** The number of a flowforge.tasks.v1.UniquePolicy. */
  uniquePolicy: number
  labels: Record<string, string> | null
  traceparent: string | null
  payload: Uint8Array | null
}

export interface Created {
  row: TaskRow
  /** False if an earlier call with the same request ID had created it, or if it is the one that has the unique key. */
  isNew: boolean
  /** True if it waited with the same unique key, and has taken the new payload and times. */
  isReplaced?: boolean
}

/** What the database decides about a new task. */
export interface StoredTask {
  id: string
  state: number
  schedule_time: Date
  create_time: Date
}

/**
 * The statement for a batch: remembering request IDs, giving fair ranks and taking slots of concurrency keys are in it
 * only if an item of the batch needs them, because a plan with all its parts costs as much to start as ten tasks cost to
 * store.
 */
function insertStatement(hasRequests: boolean, hasRanks: boolean, hasSlots: boolean): string {
  const requested = `, requested as (
    insert into tasks.request (project, request_id, task_id, fingerprint, expire_time)
    select project, request_id, id, fingerprint, tasks.now() + make_interval(secs => $18)
    from item where request_id is not null
    on conflict do nothing
    returning task_id
  )`
  const fresh = `, fresh as materialized (
    select * from item ${hasRequests ? 'where request_id is null or id in (select task_id from requested)' : ''}
  )`
  const ranked = `, fair as (
    select array_agg(id order by n) as ids, tasks.fair_ranks(array_agg(queue_id order by n), array_agg(fairness_key order by n)) as ranks
    from fresh where is_fair and (schedule_time > tasks.now()) is not true
  ), ranked as (
    select id, rank from fair cross join unnest(ids, ranks) as ranked(id, rank)
  )`
  const slotted = `, reserved as (
    select array_agg(id order by priority desc, n) as ids,
      tasks.reserve_slots(array_agg(queue_id order by priority desc, n), array_agg(concurrency_key order by priority desc, n)) as blocked
    -- After the ranks: whoever needs both takes them in one order.
    from fresh ${hasRanks ? 'cross join fair' : ''} where concurrency_key is not null and (schedule_time > tasks.now()) is not true
  ), slotted as (
    select id, is_blocked from reserved cross join unnest(ids, blocked) as slotted(id, is_blocked)
  )`
  const isSteered = hasRanks || hasSlots
  const source = `fresh${hasRanks ? ' left join ranked using (id)' : ''}${hasSlots ? ' left join slotted using (id)' : ''}`
  const isNew = hasRequests && !isSteered ? 'where request_id is null or id in (select task_id from requested)' : ''
  return `
  with item as (
    select * from unnest($1::text[], $2::uuid[], $3::integer[], $4::text[], $5::smallint[], $6::timestamptz[], $7::timestamptz[], $8::integer[],
      $9::jsonb[], $10::text[], $11::bytea[], $12::text[], $13::text[], $14::jsonb[], $15::text[], $16::bytea[], $17::boolean[])
    with ordinality as item(project, id, queue_id, type, priority, schedule_time, expire_time, attempt_timeout_ms,
      retry_policy, request_id, fingerprint, fairness_key, concurrency_key, labels, traceparent, payload, is_fair, n)
  )${hasRequests ? requested : ''}${isSteered ? fresh : ''}${hasRanks ? ranked : ''}${hasSlots ? slotted : ''}
  insert into tasks.task (project, id, queue_id, type, state, priority, schedule_time, expire_time, attempt_timeout_ms, retry_policy,
    request_id, fairness_key, concurrency_key, labels, traceparent, payload, create_time, rank_priority, fair_rank, is_blocked)
  select project, id, queue_id, type, case when schedule_time > tasks.now() then 1 else 2 end, priority,
    -- A time in the past must not jump the queue.
    greatest(schedule_time, tasks.now()), expire_time, attempt_timeout_ms, retry_policy, request_id, fairness_key,
    concurrency_key, labels, traceparent, payload, tasks.now(), -priority, ${hasRanks ? 'coalesce(rank, 0)' : '0'}, ${hasSlots ? 'coalesce(is_blocked, concurrency_key is not null)' : 'false'}
  from ${isSteered ? source : 'item'} ${isNew}
  returning id, state, schedule_time, create_time`
}

/**
 * Stores the tasks, and answers for each with its row, or with the row that an earlier call with the same request ID made.
 * Those with unique keys have a way of their own: engine/create-unique.ts.
 *
 * @param requestWindowS How long a request ID is remembered, in seconds.
 */
export async function createTasks(
  pool: pg.Pool,
  items: NewTask[],
  requestWindowS: number,
  sealer: Sealer,
): Promise<(Created | Error)[]> {
  const column = <K extends keyof NewTask>(key: K) => items.map((item) => item[key])
  const hasRequests = items.some((item) => item.requestId !== null)
  const hasRanks = items.some((item) => item.isFair)
  const hasSlots = items.some((item) => item.concurrencyKey !== null)
  const { rows } = await pool.query({
    name: `create-tasks ${hasRequests ? 'requests ' : ''}${hasRanks ? 'ranks ' : ''}${hasSlots ? 'slots' : ''}`,
    text: insertStatement(hasRequests, hasRanks, hasSlots),
    values: [
      column('project'),
      column('id'),
      column('queueId'),
      column('type'),
      column('priority'),
      column('scheduleTime'),
      column('expireTime'),
      column('attemptTimeoutMs'),
      column('retryPolicy'),
      column('requestId'),
      items.map((item) => item.fingerprint && sealer.fingerprint(item.fingerprint)),
      column('fairnessKey'),
      column('concurrencyKey'),
      column('labels'),
      column('traceparent'),
      items.map((item) => sealer.seal('payload', item, item.payload)),
      column('isFair'),
      ...(hasRequests ? [requestWindowS] : []),
    ],
  })
  const stored = new Map(rows.map((row) => [row.id as string, row]))
  const repeated = items.filter((item) => !stored.has(item.id))
  const earlier = repeated.length === 0 ? new Map() : await earlierTasks(pool, repeated, sealer)
  return items.map((item) => {
    const row = stored.get(item.id)
    return row ? { row: rowOf(item, row), isNew: true } : earlier.get(item.id)!
  })
}

/** What earlier calls with the same request IDs made, by the items' ids. */
export async function earlierTasks(
  pool: pg.Pool,
  items: NewTask[],
  sealer: Sealer,
): Promise<Map<string, Created | Error>> {
  const { rows: requests } = await pool.query({
    name: 'read-requests',
    text: `select r.project, r.request_id, r.task_id, r.fingerprint from tasks.request r
      join unnest($1::text[], $2::text[]) as item(project, request_id) using (project, request_id)`,
    values: [items.map((item) => item.project), items.map((item) => item.requestId)],
  })
  const requestOf = new Map(requests.map((request) => [`${request.project}/${request.request_id}`, request]))
  const tasks = await readTasks(
    pool,
    requests.map((request) => ({ project: request.project, id: request.task_id })),
  )
  const taskOf = new Map(tasks.map((row) => [row.id, row]))
  return new Map(
    items.map((item): [string, Created | Error] => {
      const request = requestOf.get(`${item.project}/${item.requestId}`)
      const row = request && taskOf.get(request.task_id)
      // Gone between the two statements: forgotten, or its task deleted. The ID was used all the same.
      if (!row)
        return [
          item.id,
          alreadyExists('REQUEST_ID_USED', `request ID ${item.requestId} was used for a task that no longer exists`),
        ]
      return [item.id, sameTask(item, row, request.fingerprint, sealer)]
    }),
  )
}

function sameTask(item: NewTask, row: TaskRow, fingerprint: Buffer, sealer: Sealer): Created | Error {
  try {
    if (sealer.isFingerprintOf(fingerprint, item.fingerprint!)) return { row, isNew: false }
  } catch (error) {
    if (isUnreadable(error)) return error
    throw error
  }
  return alreadyExists('REQUEST_ID_REUSED', `request ID ${item.requestId} was used for another task`)
}

/** The row of a task that was stored a moment ago, its payload in clear. */
export function rowOf(item: NewTask, stored: StoredTask): TaskRow {
  return {
    project: item.project,
    id: item.id,
    queue_id: item.queueId,
    type: item.type,
    state: stored.state,
    priority: item.priority,
    schedule_time: stored.schedule_time,
    expire_time: item.expireTime,
    attempt_timeout_ms: item.attemptTimeoutMs,
    retry_policy: item.retryPolicy,
    request_id: item.requestId,
    fairness_key: item.fairnessKey,
    concurrency_key: item.concurrencyKey,
    unique_key: item.uniqueKey,
    labels: item.labels,
    traceparent: item.traceparent,
    payload: item.payload && Buffer.from(item.payload),
    create_time: stored.create_time,
    start_time: null,
    attempt: 0,
    session_id: null,
    worker: null,
    attempt_start: null,
    progress: null,
    error: null,
    attempts: [],
    revision: 1,
  }
}
