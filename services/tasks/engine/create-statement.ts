/** The SQL that creates tasks. */
import { completion } from './complete.ts'
import { attemptTimeoutMsDefault } from './lease.ts'

/** What of the statement a batch needs. */
export interface Needs {
  /** An item has a request ID. */
  hasRequests: boolean
  /** An item gets a fair rank. */
  hasRanks: boolean
  /** An item has a concurrency key. */
  hasSlots: boolean
  /** A worker's place was reserved for an item; never together with fair ranks. */
  hasPlaces: boolean
  /** Successes are recorded by the same statement; never together with request IDs, fair ranks or concurrency keys. */
  hasSuccesses: boolean
}

/**
 * The statement for a batch: what only some batches need is left out of the others, because a plan with all its parts
 * costs as much to start as ten tasks cost to store. It answers with one row: the time, by which the state of each task
 * follows, which items were no new tasks, and which queues let their tasks be leased at once.
 */
export function insertStatement({ hasRequests, hasRanks, hasSlots, hasPlaces, hasSuccesses }: Needs): string {
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
  // Taken here, a task with a slot is stored as free to be leased at once; the trigger would have to write it twice.
  const slotted = `, reserved as (
    select array_agg(id order by n) as ids, tasks.reserve_slots(array_agg(queue_id order by n), array_agg(concurrency_key order by n),
      array_agg(priority order by n), array_agg(schedule_time order by n)) as blocked
    -- After the ranks: whoever needs both takes them in one order.
    from fresh ${hasRanks ? 'cross join fair' : ''}
  ), slotted as (
    select id, is_blocked from reserved cross join unnest(ids, blocked) as slotted(id, is_blocked)
  )`
  // Where every item is a new task and nothing comes before, its slot is a column like the others.
  const hasSlotColumn = hasSlots && !hasRequests && !hasRanks
  const slotColumn = '(select tasks.reserve_slots($3::integer[], $13::text[], $5::smallint[], $6::timestamptz[]))'
  const isSteered = hasRanks || (hasSlots && !hasSlotColumn)
  const source = `fresh${hasRanks ? ' left join ranked using (id)' : ''}${hasSlots ? ' left join slotted using (id)' : ''}`
  // As leasing does: a queue that has got limits or a pause a moment ago gives nothing.
  const leasable = `, leasable as materialized (
    select id from tasks.queue where id = any($3::integer[]) and is_plain and not paused
  )`
  const [sessions, workers] = hasRequests ? ['$20', '$21'] : ['$18', '$19']
  const isLeased = 'session_id is not null and queue_id in (select id from leasable)'
  const placeColumns = 'session_id, worker, attempt, revision, start_time, attempt_start, lease_until'
  const ofPlace = (value: string) => `case when ${isLeased} then ${value} end`
  const placeValues = [
    ofPlace('session_id'),
    ofPlace('worker'),
    `case when ${isLeased} then 1 else 0 end`,
    `case when ${isLeased} then 2 else 1 end`,
    ofPlace('tasks.now()'),
    ofPlace('tasks.now()'),
    ofPlace(`tasks.now() + interval '1 ms' * coalesce(attempt_timeout_ms, ${attemptTimeoutMsDefault})`),
  ].join(', ')
  const isNew = hasRequests && !isSteered ? 'where request_id is null or id in (select task_id from requested)' : ''
  const repeated =
    'array(select n::integer from item where request_id is not null and id not in (select task_id from requested))'
  return `
  with ${hasRequests ? `patience as materialized (select set_config('lock_timeout', $19, true)), ` : ''}item as (
    select item.* from ${hasRequests ? 'patience cross join ' : ''}unnest($1::text[], $2::uuid[], $3::integer[], $4::text[], $5::smallint[], $6::timestamptz[],
      $7::timestamptz[], $8::integer[], $9::jsonb[], $10::text[], $11::bytea[], $12::text[], $13::text[], $14::jsonb[], $15::text[], $16::bytea[], $17::boolean[]
      ${hasSlotColumn ? `, ${slotColumn}` : ''}${hasPlaces ? `, ${sessions}::bigint[], ${workers}::text[]` : ''})
    with ordinality as item(project, id, queue_id, type, priority, schedule_time, expire_time, attempt_timeout_ms,
      retry_policy, request_id, fingerprint, fairness_key, concurrency_key, labels, traceparent, payload, is_fair${hasSlotColumn ? ', is_blocked' : ''}${hasPlaces ? ', session_id, worker' : ''}, n)
  )${hasRequests ? requested : ''}${isSteered ? fresh : ''}${hasRanks ? ranked : ''}${hasSlots && !hasSlotColumn ? slotted : ''}${hasPlaces ? leasable : ''}, stored as (
    insert into tasks.task (project, id, queue_id, type, state, priority, schedule_time, expire_time, attempt_timeout_ms, retry_policy,
      request_id, fairness_key, concurrency_key, labels, traceparent, payload, create_time, rank_priority, fair_rank, is_blocked${hasPlaces ? `, ${placeColumns}` : ''})
    select project, id, queue_id, type, case when schedule_time > tasks.now() then 1 ${hasPlaces ? `when ${isLeased} then 3` : ''} else 2 end, priority,
      -- A time in the past must not jump the queue.
      greatest(schedule_time, tasks.now()), expire_time, attempt_timeout_ms, retry_policy, request_id, fairness_key,
      concurrency_key, labels, traceparent, payload, tasks.now(), -priority, ${hasRanks ? 'coalesce(rank, 0)' : '0'}, ${hasSlots ? 'coalesce(is_blocked, concurrency_key is not null)' : 'false'}${
        hasPlaces
          ? `,
      ${placeValues}`
          : ''
      }
    from ${isSteered ? source : 'item'} ${isNew}
  )${hasSuccesses ? `, ${completion(hasPlaces ? 20 : 18)}` : ''}
  select (extract(epoch from tasks.now()) * 1000)::float8 as now_ms${hasRequests ? `, ${repeated} as repeated` : ''}${
    hasPlaces ? ', array(select id from leasable) as leasable' : ''
  }${hasSuccesses ? ', completed.* from completed' : ''}`
}
