/**
 * Creating tasks with unique keys. The index task_unique decides who comes first; whoever comes second is refused,
 * gets the other task, or replaces it, as its policy says. Several statements in one transaction, for only the second
 * of them can see the task that the first one met.
 */
import { UniquePolicy } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import { isConflict } from '@flowforge/runtime/sqlstate'
import { aborted } from '@flowforge/runtime/status'
import type pg from 'pg'
import type { TaskRow } from '../tables.ts'
import { earlierTasks, rowOf, type Created, type NewTask, type StoredTask } from './create.ts'
import { hotColumns } from './read.ts'
import { replaceWaiting } from './replace.ts'
import { isTaskOf } from './same-task.ts'
import type { Sealer } from './seal.ts'
import { READY } from './states.ts'
import { uniqueKeyUsed } from './unique-key.ts'

/** A task with a unique key. */
export type UniqueTask = NewTask & { uniqueKey: string }

type Answers = Map<UniqueTask, Created | Error>

/** A key may be given up between two statements, but hardly so often. */
const roundsMax = 5
/** Keys are held for milliseconds, but for those that somebody uses in a transaction of tasks.enqueue(). */
const lockTimeoutMs = 500

/** Stores the tasks whose keys are free, and answers for the others by their policies. */
export async function createUniqueTasks(
  pool: pg.Pool,
  items: UniqueTask[],
  requestWindowS: number,
  sealer: Sealer,
): Promise<(Created | Error)[]> {
  const { first, later } = byRequest(items)
  // What was committed must not be written again because of others: their errors are theirs.
  const createEach = (some: UniqueTask[]): Promise<(Created | Error)[]> =>
    createUniqueTasks(pool, some, requestWindowS, sealer).catch((error) => some.map(() => error))
  let answers: Answers
  try {
    answers = await inTransaction(pool, (client) => createAll(client, first, requestWindowS, sealer))
  } catch (error) {
    if (!isConflict(error) || items.length === 1) throw error
    // Somebody's long transaction holds one of the keys: only the item that wants the same is to wait for it.
    const middle = items.length >> 1
    return (await Promise.all([createEach(items.slice(0, middle)), createEach(items.slice(middle))])).flat()
  }
  const repeated = first.filter((item) => !answers.has(item))
  const earlier =
    repeated.length === 0 ? new Map<string, Created | Error>() : await earlierTasks(pool, repeated, sealer)
  for (const item of repeated) answers.set(item, earlier.get(item.id)!)
  // What the same batch asks again is a repeat like any other, once the first is decided.
  const laterAnswers = later.length === 0 ? [] : await createEach(later)
  later.forEach((item, i) => answers.set(item, laterAnswers[i]!))
  return items.map((item) => answers.get(item)!)
}

function byRequest(items: UniqueTask[]): { first: UniqueTask[]; later: UniqueTask[] } {
  const seen = new Set<string>()
  const { first = [], later = [] } = Object.groupBy(items, (item) => {
    const request = `${item.project}/${item.requestId}`
    if (item.requestId === null || !seen.has(request)) {
      seen.add(request)
      return 'first'
    }
    return 'later'
  })
  return { first, later }
}

/** Answers for all but those whose request ID was used before. */
async function createAll(
  client: pg.PoolClient,
  items: UniqueTask[],
  requestWindowS: number,
  sealer: Sealer,
): Promise<Answers> {
  const answers: Answers = new Map()
  let open = await takeRequests(client, items, requestWindowS, sealer)
  for (let round = 1; open.length > 0; round++) {
    if (round > roundsMax) throw aborted('CONFLICT', 'a concurrent change won; try again')
    const stored = await insertFree(client, open, sealer)
    for (const item of open) {
      const row = stored.get(item.id)
      if (row) answers.set(item, { row: rowOf(item, row), isNew: true })
    }
    const met = open.filter((item) => !stored.has(item.id))
    if (met.length > 0) await meet(client, met, answers, sealer)
    // Whoever had those keys has finished meanwhile.
    open = met.filter((item) => !answers.has(item))
  }
  await settleRequests(client, answers)
  return answers
}

/** The items whose request IDs are theirs, or that have none. */
async function takeRequests(
  client: pg.PoolClient,
  items: UniqueTask[],
  requestWindowS: number,
  sealer: Sealer,
): Promise<UniqueTask[]> {
  const requests = items.filter((item) => item.requestId !== null)
  if (requests.length === 0) return items
  const { rows } = await client.query({
    name: 'take-requests',
    text: `insert into tasks.request (project, request_id, task_id, fingerprint, expire_time)
      select project, request_id, id, fingerprint, tasks.now() + make_interval(secs => $5)
      from unnest($1::text[], $2::text[], $3::uuid[], $4::bytea[]) as item(project, request_id, id, fingerprint)
      order by project, request_id
      on conflict do nothing
      returning task_id`,
    values: [
      requests.map((item) => item.project),
      requests.map((item) => item.requestId),
      requests.map((item) => item.id),
      requests.map((item) => item.fingerprint && sealer.fingerprint(item.fingerprint)),
      requestWindowS,
    ],
  })
  const taken = new Set(rows.map((row) => row.task_id))
  return items.filter((item) => item.requestId === null || taken.has(item.id))
}

const insert = `
with item as (
  select *, schedule_time > tasks.now() is true as is_scheduled
  from unnest($1::text[], $2::uuid[], $3::integer[], $4::text[], $5::smallint[], $6::timestamptz[], $7::timestamptz[], $8::integer[],
    $9::jsonb[], $10::text[], $11::text[], $12::text[], $13::text[], $14::jsonb[], $15::text[], $16::bytea[], $17::boolean[])
  with ordinality as item(project, id, queue_id, type, priority, schedule_time, expire_time, attempt_timeout_ms,
    retry_policy, request_id, fairness_key, concurrency_key, unique_key, labels, traceparent, payload, is_fair, n)
)
insert into tasks.task (project, id, queue_id, type, state, priority, schedule_time, expire_time, attempt_timeout_ms, retry_policy,
  request_id, fairness_key, concurrency_key, unique_key, labels, traceparent, payload, create_time, rank_priority)
select project, id, queue_id, type, case when is_scheduled or is_fair or concurrency_key is not null then 1 else 2 end, priority,
  greatest(schedule_time, tasks.now()), expire_time, attempt_timeout_ms, retry_policy, request_id, fairness_key,
  concurrency_key, unique_key, labels, traceparent, payload, tasks.now(), -priority
from item
-- One order for all, so that concurrent batches wait for one another and never in a circle.
order by queue_id, unique_key, n
on conflict (queue_id, unique_key) where unique_key is not null do nothing
returning id, state, schedule_time, create_time, state = 1 and schedule_time <= tasks.now() as is_due`

const makeReady = `
with item as (
  select item.n, task.* from unnest($1::text[], $2::uuid[]) with ordinality as item(project, id, n) join tasks.task on ${isTaskOf('item')}
), fair as (
  select array_agg(item.id order by n) as ids,
    tasks.fair_ranks(array_agg(queue_id order by n), array_agg(fairness_key order by n)) as ranks
  from item join tasks.queue on queue.id = item.queue_id where queue.is_fair or fairness_key is not null
), ranked as (
  select id, rank from fair cross join unnest(ids, ranks) as ranked(id, rank)
)
update tasks.task set state = 2, fair_rank = coalesce(rank, 0), is_blocked = task.concurrency_key is not null
from item left join ranked using (id) where ${isTaskOf('item')}`

async function insertFree(
  client: pg.PoolClient,
  items: UniqueTask[],
  sealer: Sealer,
): Promise<Map<string, StoredTask>> {
  const column = <K extends keyof UniqueTask>(key: K) => items.map((item) => item[key])
  const { rows } = await client.query({
    name: 'create-unique-tasks',
    text: insert,
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
      column('fairnessKey'),
      column('concurrencyKey'),
      column('uniqueKey'),
      column('labels'),
      column('traceparent'),
      items.map((item) => sealer.seal('payload', item, item.payload)),
      column('isFair'),
    ],
  })
  const stored = new Map<string, StoredTask & { is_due: boolean }>(rows.map((row) => [row.id, row]))
  await takeTurns(
    client,
    items.filter((item) => stored.get(item.id)?.is_due),
  )
  for (const row of stored.values()) if (row.is_due) row.state = READY
  return stored
}

/**
 * Makes READY what needs a turn or a slot. Not before it has its unique key: what is refused costs no turn, and who
 * waits for a key keeps nobody else waiting.
 */
async function takeTurns(client: pg.PoolClient, items: UniqueTask[]): Promise<void> {
  if (items.length === 0) return
  await client.query({
    name: 'ready-unique-tasks',
    text: makeReady,
    values: [items.map((item) => item.project), items.map((item) => item.id)],
  })
}

/** Answers for items whose keys other tasks have; not for those whose key is free again. */
async function meet(client: pg.PoolClient, items: UniqueTask[], answers: Answers, sealer: Sealer): Promise<void> {
  const replacing = items.filter((item) => item.uniquePolicy === UniquePolicy.UNIQUE_POLICY_REPLACE_PENDING)
  const replaced =
    replacing.length === 0 ? new Map<UniqueTask, TaskRow>() : await replaceWaiting(client, replacing, sealer)
  for (const [item, row] of replaced) answers.set(item, { row, isNew: false, isReplaced: true })
  const left = items.filter((item) => !replaced.has(item))
  if (left.length === 0) return
  const { rows } = await client.query<TaskRow>({
    name: 'read-unique-holders',
    text: `with key as (select distinct * from unnest($1::integer[], $2::text[]) as key(queue_id, unique_key))
      select ${hotColumns} from tasks.task join key using (queue_id, unique_key)`,
    values: [left.map((item) => item.queueId), left.map((item) => item.uniqueKey)],
  })
  const holders = new Map(rows.map((row) => [`${row.queue_id}/${row.unique_key}`, row]))
  for (const item of left) {
    const row = holders.get(`${item.queueId}/${item.uniqueKey}`)
    if (!row) continue
    const isWanted = item.uniquePolicy === UniquePolicy.UNIQUE_POLICY_RETURN_EXISTING
    answers.set(item, isWanted ? { row, isNew: false } : uniqueKeyUsed(item.uniqueKey, row))
  }
}

/** The request ID of a refused task stays free, and that of one that met another stands for the other. */
async function settleRequests(client: pg.PoolClient, answers: Answers): Promise<void> {
  const others = [...answers].flatMap(([item, answer]) => {
    if (item.requestId === null || (!(answer instanceof Error) && answer.isNew)) return []
    return [{ item, taskId: answer instanceof Error ? null : answer.row.id }]
  })
  if (others.length === 0) return
  await client.query({
    name: 'settle-requests',
    text: `with other as (select * from unnest($1::text[], $2::text[], $3::uuid[]) as other(project, request_id, task_id)),
      refused as (
        delete from tasks.request using other
        where request.project = other.project and request.request_id = other.request_id and other.task_id is null
      )
      update tasks.request set task_id = other.task_id from other
      where request.project = other.project and request.request_id = other.request_id and other.task_id is not null`,
    values: [
      others.map(({ item }) => item.project),
      others.map(({ item }) => item.requestId),
      others.map(({ taskId }) => taskId),
    ],
  })
}

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query(`begin; set local lock_timeout = ${lockTimeoutMs}`)
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}
