/** Creating tasks: one statement for all that arrive while the one before is in flight. */
import { isConflict, isDataError, isLockTimeout } from '@flowforge/runtime/sqlstate'
import { alreadyExists } from '@flowforge/runtime/status'
import type pg from 'pg'
import type { RetryPolicyColumn, TaskRow } from '../tables.ts'
import {
  boolArray,
  byteaArray,
  int2Array,
  int4Array,
  int8Array,
  jsonbArray,
  textArray,
  timestamptzArray,
  uuidArray,
} from './binary-array.ts'
import type { Passengers } from './batch.ts'
import { completedOf, completionValues, type Completed, type CompletedRow, type Success } from './complete.ts'
import { insertStatement } from './create-statement.ts'
import type { Taker } from './dispatcher.ts'
import { isStartable, leasedRowOf, type Workers } from './hand-over.ts'
import type { LeasedRow } from './lease.ts'
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
  /** Of a new task: as it was created, though a worker may have it already. */
  row: TaskRow
  /** False if an earlier call with the same request ID had created it, or if it is the one that has the unique key. */
  isNew: boolean
  /** True if it waited with the same unique key, and has taken the new payload and times. */
  isReplaced?: boolean
  /** True if it was created as a worker's, who has got it. */
  isLeased?: boolean
}

/** Successes that wait to be recorded: they may go with a statement that creates. */
export interface Successes {
  passengers(): Passengers<Success, void> | undefined
  /** They were recorded. */
  written(passengers: Passengers<Success, void>, completed: Completed): void
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
 * Stores the tasks, and answers for each with its row, or with the row that an earlier call with the same request ID made.
 * Those with unique keys have a way of their own: engine/create-unique.ts.
 *
 * @param requestWindowS How long a request ID is remembered, in seconds.
 * @param workers Who may get tasks as they are created.
 * @param successes What else may go with the statement.
 */
export async function createTasks(
  pool: pg.Pool,
  items: NewTask[],
  requestWindowS: number,
  sealer: Sealer,
  workers?: Workers,
  successes?: Successes,
): Promise<(Created | Error)[]> {
  try {
    return await insertTasks(pool, items, requestWindowS, sealer, lockTimeoutMs, workers, successes)
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
      createTasks(pool, part, requestWindowS, sealer, workers).catch((failure) => part.map(() => failure))
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
  workers?: Workers,
  successes?: Successes,
): Promise<(Created | Error)[]> {
  const hasRequests = items.some((item) => item.requestId !== null)
  const hasRanks = items.some((item) => item.isFair)
  const hasSlots = items.some((item) => item.concurrencyKey !== null)
  const places = workers && !hasRanks ? placesFor(items, workers) : []
  const hasPlaces = places.some((place) => place !== undefined)
  const isPlain = !hasRequests && !hasRanks && !hasSlots
  const passengers = isPlain ? successes?.passengers() : undefined
  let row: InsertedRow
  try {
    const { rows } = await pool.query<InsertedRow>({
      name: `create-tasks ${hasRequests ? 'requests ' : ''}${hasRanks ? 'ranks ' : ''}${hasSlots ? 'slots ' : ''}${hasPlaces ? 'places ' : ''}${passengers ? 'successes' : ''}`,
      text: insertStatement({ hasRequests, hasRanks, hasSlots, hasPlaces, hasSuccesses: passengers !== undefined }),
      values: [
        ...columnsOf(items, sealer),
        ...(hasRequests ? [requestWindowS, String(timeoutMs)] : []),
        ...(hasPlaces
          ? [
              int8Array(places, (place) => place?.sessionId ?? null),
              textArray(places, (place) => place?.worker ?? null),
            ]
          : []),
        ...(passengers ? completionValues(passengers.items) : []),
      ],
    })
    row = rows[0]!
  } catch (error) {
    for (const place of places) if (place) workers!.free(place)
    if (!isConflict(error) && !isDataError(error)) {
      // A lost connection does not say whether it was committed.
      for (const place of places) place?.doubt()
      passengers?.fail(error as Error)
      throw error
    }
    if (!passengers) throw error
    // Nothing was written; neither is to fail because of the other.
    passengers.giveBack()
    return insertTasks(pool, items, requestWindowS, sealer, timeoutMs, workers)
  }
  if (passengers) successes!.written(passengers, completedOf(row))
  const { now_ms: nowMs, repeated = [], leasable = [] } = row
  const repeats = new Set(repeated.map((n) => items[n - 1]!))
  const createTime = new Date(nowMs)
  const created = items.map((item, i): Created => {
    const isLeased = places[i] !== undefined && leasable.includes(item.queueId) && !repeats.has(item)
    return { row: newRow(item, createTime), isNew: true, isLeased }
  })
  if (hasPlaces) handOver(workers!, places, created)
  if (repeats.size === 0) return created
  const earlier = await earlierTasks(pool, [...repeats], sealer)
  return created.map((one) => earlier.get(one.row.id) ?? one)
}

/** The workers' places that there are for the items, by their priority. */
function placesFor(items: NewTask[], workers: Workers): (Taker | undefined)[] {
  const placeOf = (item: NewTask) => (isStartable(item) ? workers.reserve(item) : undefined)
  const first = items[0]!.priority
  if (items.every(({ priority }) => priority === first)) return items.map(placeOf)
  const inOrder = items.toSorted((one, other) => other.priority - one.priority)
  const taken = new Map(inOrder.map((item) => [item, placeOf(item)]))
  return items.map((item) => taken.get(item))
}

/** What the statement answers with, in one row; of successes only if there were any. */
interface InsertedRow extends CompletedRow {
  now_ms: number
  /** Which items repeat an earlier request, counted from 1. */
  repeated?: number[]
  /** The queues whose tasks were created as the workers' for whom a place was reserved. */
  leasable?: number[]
}

function columnsOf(items: NewTask[], sealer: Sealer): (Buffer | null)[] {
  return [
    textArray(items, (item) => item.project),
    uuidArray(items, (item) => item.id),
    int4Array(items, (item) => item.queueId),
    textArray(items, (item) => item.type),
    int2Array(items, (item) => item.priority),
    timestamptzArray(items, (item) => item.scheduleTime),
    timestamptzArray(items, (item) => item.expireTime),
    int4Array(items, (item) => item.attemptTimeoutMs),
    jsonbArray(items.map((item) => item.retryPolicy && JSON.stringify(item.retryPolicy))),
    textArray(items, (item) => item.requestId),
    byteaArray(items.map((item) => item.fingerprint && sealer.fingerprint(item.fingerprint))),
    textArray(items, (item) => item.fairnessKey),
    textArray(items, (item) => item.concurrencyKey),
    jsonbArray(items.map((item) => item.labels && JSON.stringify(item.labels))),
    textArray(items, (item) => item.traceparent),
    byteaArray(items.map((item) => sealer.seal('payload', item, item.payload))),
    boolArray(items, (item) => item.isFair),
  ]
}

/** Gives the tasks that were created as workers' to them, and the other places back. */
function handOver(workers: Workers, places: (Taker | undefined)[], created: Created[]): void {
  const leased: { taker: Taker; row: LeasedRow }[] = []
  for (const [i, taker] of places.entries()) {
    if (!taker) continue
    if (created[i]!.isLeased) leased.push({ taker, row: leasedRowOf(created[i]!.row, taker) })
    else workers.free(taker)
  }
  for (const ofQueue of Map.groupBy(leased, ({ row }) => row.queue_id).values()) workers.handOver(ofQueue)
}

/** The row of a task as it was when it was created. */
function newRow(item: NewTask, createTime: Date): TaskRow {
  const isScheduled = item.scheduleTime !== null && item.scheduleTime > createTime
  const state = isScheduled ? SCHEDULED : READY
  const scheduleTime = isScheduled ? item.scheduleTime! : createTime
  return rowOf(item, { state, schedule_time: scheduleTime, create_time: createTime })
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
    if (sealer.isFingerprintOf(fingerprint, item.fingerprint!)) return { row: firstAnswer(item, row), isNew: false }
  } catch (error) {
    if (isUnreadable(error)) return error
    throw error
  }
  return alreadyExists('REQUEST_ID_REUSED', `request ID ${item.requestId} was used for another task`)
}

/**
 * What the first call answered, for it asked for the same. Only where it met another task by its unique key is that
 * not known any more: then the task as it is now.
 */
function firstAnswer(item: NewTask, row: TaskRow): TaskRow {
  return row.request_id === item.requestId ? newRow({ ...item, id: row.id }, row.create_time) : row
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
    payload: item.payload && Buffer.from(item.payload.buffer, item.payload.byteOffset, item.payload.byteLength),
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
