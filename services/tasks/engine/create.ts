/** Creating tasks: one statement for all that arrive while the one before is in flight. */
import { isLockTimeout } from '@flowforge/runtime/sqlstate'
import { alreadyExists } from '@flowforge/runtime/status'
import type pg from 'pg'
import type { RetryPolicyColumn, TaskRow } from '../tables.ts'
import {
  boolArray,
  byteaArray,
  int2Array,
  int4Array,
  jsonbArray,
  textArray,
  timestamptzArray,
  uuidArray,
} from './binary-array.ts'
import { readTasks } from './read.ts'
import { isUnreadable, type Sealer } from './seal.ts'
import { READY, SCHEDULED } from './states.ts'

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
  state: number
  schedule_time: Date
  create_time: Date
}

/** Answers for a task whose request ID is used by a transaction that has not ended: it may be tried again by itself. */
export class RequestIdBusy extends Error {
  override name = 'RequestIdBusy'
}

/**
 * How long a batch waits for a transaction that uses one of its request IDs, in milliseconds. An application may keep one
 * of tasks.enqueue() open for long; what merely creates the same task at the same time is done sooner.
 */
const lockTimeoutMs = 250
/** How long a task that has to wait for one does so by itself, before it is tried again. */
const patientLockTimeoutMs = 2_000
/** Into how many parts a batch is cut that waited too long. */
const partsMax = 32

/**
 * The statement for a batch: remembering request IDs and giving fair ranks are in it only if an item of the batch needs
 * them, because a plan with all its parts costs as much to start as ten tasks cost to store. It answers with one row: the
 * time, by which the state of each task follows, and which items were no new tasks.
 */
function insertStatement(hasRequests: boolean, hasRanks: boolean): string {
  const requested = `, requested as (
    insert into tasks.request (project, request_id, task_id, fingerprint, expire_time)
    select project, request_id, id, fingerprint, tasks.now() + make_interval(secs => $18)
    from item where request_id is not null
    on conflict do nothing
    returning task_id
  )`
  const ranked = `, fresh as materialized (
    select * from item ${hasRequests ? 'where request_id is null or id in (select task_id from requested)' : ''}
  ), fair as (
    select array_agg(id order by n) as ids, tasks.fair_ranks(array_agg(queue_id order by n), array_agg(fairness_key order by n)) as ranks
    from fresh where is_fair and (schedule_time > tasks.now()) is not true
  ), ranked as (
    select id, rank from fair cross join unnest(ids, ranks) as ranked(id, rank)
  )`
  const isNew = hasRequests && !hasRanks ? 'where request_id is null or id in (select task_id from requested)' : ''
  const repeated =
    'array(select n::integer from item where request_id is not null and id not in (select task_id from requested))'
  return `
  with ${hasRequests ? `patience as materialized (select set_config('lock_timeout', $19, true)), ` : ''}item as (
    select item.* from ${hasRequests ? 'patience cross join ' : ''}unnest($1::text[], $2::uuid[], $3::integer[], $4::text[], $5::smallint[], $6::timestamptz[],
      $7::timestamptz[], $8::integer[], $9::jsonb[], $10::text[], $11::bytea[], $12::text[], $13::text[], $14::jsonb[], $15::text[], $16::bytea[], $17::boolean[])
    with ordinality as item(project, id, queue_id, type, priority, schedule_time, expire_time, attempt_timeout_ms,
      retry_policy, request_id, fingerprint, fairness_key, concurrency_key, labels, traceparent, payload, is_fair, n)
  )${hasRequests ? requested : ''}${hasRanks ? ranked : ''}, stored as (
    insert into tasks.task (project, id, queue_id, type, state, priority, schedule_time, expire_time, attempt_timeout_ms, retry_policy,
      request_id, fairness_key, concurrency_key, labels, traceparent, payload, create_time, rank_priority, fair_rank, is_blocked)
    select project, id, queue_id, type, case when schedule_time > tasks.now() then 1 else 2 end, priority,
      -- A time in the past must not jump the queue.
      greatest(schedule_time, tasks.now()), expire_time, attempt_timeout_ms, retry_policy, request_id, fairness_key,
      concurrency_key, labels, traceparent, payload, tasks.now(), -priority, ${hasRanks ? 'coalesce(rank, 0)' : '0'}, concurrency_key is not null
    from ${hasRanks ? 'fresh left join ranked using (id)' : 'item'} ${isNew}
  )
  select (extract(epoch from tasks.now()) * 1000)::float8 as now_ms${hasRequests ? `, ${repeated} as repeated` : ''}`
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
  try {
    return await insertTasks(pool, items, requestWindowS, sealer, lockTimeoutMs)
  } catch (error) {
    if (!isLockTimeout(error)) throw error
    if (items.length === 1) return [new RequestIdBusy('a transaction that has not ended uses the request ID')]
    // Only the item that wants the same is to wait for it.
    const size = Math.ceil(items.length / partsMax)
    const parts = Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
      items.slice(i * size, (i + 1) * size),
    )
    const createPart = (part: NewTask[]): Promise<(Created | Error)[]> =>
      // What was committed must not be written again because of others: their errors are theirs.
      createTasks(pool, part, requestWindowS, sealer).catch((failure) => part.map(() => failure))
    return (await Promise.all(parts.map(createPart))).flat()
  }
}

/** Stores tasks that have to wait for a transaction which uses their request ID; throws when that takes too long. */
export function createPatiently(
  pool: pg.Pool,
  items: NewTask[],
  requestWindowS: number,
  sealer: Sealer,
): Promise<(Created | Error)[]> {
  return insertTasks(pool, items, requestWindowS, sealer, patientLockTimeoutMs)
}

async function insertTasks(
  pool: pg.Pool,
  items: NewTask[],
  requestWindowS: number,
  sealer: Sealer,
  timeoutMs: number,
): Promise<(Created | Error)[]> {
  const column = <K extends keyof NewTask>(key: K) => items.map((item) => item[key])
  const hasRequests = items.some((item) => item.requestId !== null)
  const hasRanks = items.some((item) => item.isFair)
  const { rows } = await pool.query<{ now_ms: number; repeated?: number[] }>({
    name: `create-tasks ${hasRequests ? 'requests ' : ''}${hasRanks ? 'ranks' : ''}`,
    text: insertStatement(hasRequests, hasRanks),
    values: [
      textArray(column('project')),
      uuidArray(column('id')),
      int4Array(column('queueId')),
      textArray(column('type')),
      int2Array(column('priority')),
      timestamptzArray(column('scheduleTime')),
      timestamptzArray(column('expireTime')),
      int4Array(column('attemptTimeoutMs')),
      jsonbArray(column('retryPolicy')),
      textArray(column('requestId')),
      byteaArray(items.map((item) => item.fingerprint && sealer.fingerprint(item.fingerprint))),
      textArray(column('fairnessKey')),
      textArray(column('concurrencyKey')),
      jsonbArray(column('labels')),
      textArray(column('traceparent')),
      byteaArray(items.map((item) => sealer.seal('payload', item, item.payload))),
      boolArray(column('isFair')),
      ...(hasRequests ? [requestWindowS, String(timeoutMs)] : []),
    ],
  })
  const { now_ms: nowMs, repeated = [] } = rows[0]!
  const createTime = new Date(nowMs)
  const earlier =
    repeated.length === 0
      ? new Map<string, Created | Error>()
      : await earlierTasks(
          pool,
          repeated.map((n) => items[n - 1]!),
          sealer,
        )
  return items.map((item) => {
    const met = earlier.get(item.id)
    if (met) return met
    const isScheduled = item.scheduleTime !== null && item.scheduleTime.getTime() > nowMs
    const state = isScheduled ? SCHEDULED : READY
    const scheduleTime = isScheduled ? item.scheduleTime! : createTime
    return { row: rowOf(item, { state, schedule_time: scheduleTime, create_time: createTime }), isNew: true }
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
