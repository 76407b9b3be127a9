/** REPLACE_PENDING: a task that waits takes what a second one with its unique key brought, and keeps its name. */
import type pg from 'pg'
import type { TaskRow } from '../tables.ts'
import type { UniqueTask } from './create-unique.ts'
import { readTasks } from './read.ts'
import { isTaskOf } from './same-task.ts'
import type { Sealer } from './seal.ts'

const replace = `
with item as (
  select *, schedule_time > tasks.now() is true as is_scheduled
  from unnest($1::text[], $2::uuid[], $3::smallint[], $4::timestamptz[], $5::timestamptz[], $6::integer[], $7::jsonb[], $8::jsonb[], $9::text[], $10::bytea[])
  as item(project, id, priority, schedule_time, expire_time, attempt_timeout_ms, retry_policy, labels, traceparent, payload)
), fair as (
  select array_agg(task.id order by task.id) as ids,
    tasks.fair_ranks(array_agg(task.queue_id order by task.id), array_agg(task.fairness_key order by task.id)) as ranks
  from item join tasks.task on ${isTaskOf('item')} join tasks.queue on queue.id = task.queue_id
  where queue.is_fair and task.state = 1 and not item.is_scheduled
), ranked as (
  select id, rank from fair cross join unnest(ids, ranks) as ranked(id, rank)
), target as (
  -- Who waits for a worker and goes on doing so keeps its place: its turn, its slot and its age.
  select item.*, ranked.rank, task.state = 2 and not item.is_scheduled as is_in_place
  from item join tasks.task on ${isTaskOf('item')} left join ranked on ranked.id = item.id
)
update tasks.task set
  state = case when is_scheduled then 1 else 2 end,
  priority = target.priority,
  rank_priority = case when is_in_place and task.rank_priority = -32768 then task.rank_priority else -target.priority end,
  schedule_time = case when is_in_place then task.schedule_time else greatest(target.schedule_time, tasks.now()) end,
  fair_rank = case when is_in_place then task.fair_rank else coalesce(target.rank, 0) end,
  is_blocked = case when is_in_place then task.is_blocked else not is_scheduled and task.concurrency_key is not null end,
  expire_time = target.expire_time, attempt_timeout_ms = target.attempt_timeout_ms, retry_policy = target.retry_policy,
  labels = target.labels, traceparent = target.traceparent, payload = target.payload, revision = task.revision + 1
from target where ${isTaskOf('target')}`

/**
 * Replaces each waiting task of the same queue, unique key and type, and answers with what it became; nothing for
 * items without one. Of several items for one task the last wins.
 */
export async function replaceWaiting(
  client: pg.PoolClient,
  items: UniqueTask[],
  sealer: Sealer,
): Promise<Map<UniqueTask, TaskRow>> {
  const { rows: waiting } = await client.query<{ n: string; project: string; id: string }>({
    name: 'lock-replaceable',
    // Not one of another type: its handler could not read the payload.
    text: `select item.n, task.project, task.id
      from unnest($1::integer[], $2::text[], $3::text[]) with ordinality as item(queue_id, unique_key, type, n)
        join tasks.task using (queue_id, unique_key)
      where task.state < 3 and task.type = item.type
      order by queue_id, unique_key, n for update of task`,
    values: [items.map((item) => item.queueId), items.map((item) => item.uniqueKey), items.map((item) => item.type)],
  })
  if (waiting.length === 0) return new Map()
  const itemOf = (row: { n: string }) => items[Number(row.n) - 1]!
  const last = [
    ...new Map(waiting.map((row) => [row.id, { ...itemOf(row), project: row.project, id: row.id }])).values(),
  ]
  const column = <K extends keyof UniqueTask>(key: K) => last.map((item) => item[key])
  await client.query({
    name: 'replace-waiting',
    text: replace,
    values: [
      column('project'),
      column('id'),
      column('priority'),
      column('scheduleTime'),
      column('expireTime'),
      column('attemptTimeoutMs'),
      column('retryPolicy'),
      column('labels'),
      column('traceparent'),
      last.map((item) => sealer.seal('payload', item, item.payload)),
    ],
  })
  const rows = new Map((await readTasks(client, last)).map((row) => [row.id, row]))
  return new Map(waiting.map((row) => [itemOf(row), rows.get(row.id)!]))
}
