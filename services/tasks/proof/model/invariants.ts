/** What must be true of the tables after a sweep, when nothing is in flight; each query answers with what breaks it. */
import type pg from 'pg'
import { READY, RUNNING } from '../../engine/states.ts'
import type { Change } from './audit.ts'

const invariants: Record<string, string> = {
  'a task is in exactly one half': `select id from tasks.task intersect all select id from tasks.finished_task
    union all select id from tasks.finished_task group by id having count(*) > 1`,
  'queue counts are those of the tasks': `
    with counted as (
      select queue_id, sum(scheduled) as scheduled, sum(ready) as ready, sum(running) as running, sum(dead) as dead
      from (select * from tasks.queue_count union all select * from tasks.queue_count_change) as part group by queue_id
    ), actual as (
      select queue_id, count(*) filter (where state = 1) as scheduled, count(*) filter (where state = 2) as ready,
        count(*) filter (where state = 3) as running, count(*) filter (where state = 6) as dead
      from (select queue_id, state from tasks.task union all select queue_id, state from tasks.finished_task) as task group by queue_id
    )
    select * from counted full join actual using (queue_id)
    where (coalesce(counted.scheduled, 0), coalesce(counted.ready, 0), coalesce(counted.running, 0), coalesce(counted.dead, 0))
      <> (coalesce(actual.scheduled, 0), coalesce(actual.ready, 0), coalesce(actual.running, 0), coalesce(actual.dead, 0))`,
  'held slots are those of the tasks': `
    with actual as (
      select queue_id, concurrency_key as key, count(*) filter (where state = ${RUNNING} or state = ${READY} and not is_blocked) as held
      from tasks.task where concurrency_key is not null group by queue_id, concurrency_key
    )
    select queue_id, key, slots.held as counted, slots.given, actual.held
    from tasks.concurrency as slots full join actual using (queue_id, key)
    where coalesce(slots.held, 0) <> coalesce(actual.held, 0)`,
  'no task is blocked while its key has free slots': `
    select task.id, slots.held, queue.concurrency_per_key from tasks.task join tasks.queue on queue.id = task.queue_id
      left join tasks.concurrency as slots on slots.queue_id = task.queue_id and slots.key = task.concurrency_key
    where task.state = ${READY} and task.is_blocked and coalesce(slots.held, 0) < queue.concurrency_per_key`,
  'no task without a concurrency key is blocked': `
    select id from tasks.task where state = ${READY} and is_blocked and concurrency_key is null`,
  'what runs has a lease that ends': `select id from tasks.task where state = ${RUNNING} and (lease_until is null or session_id is null)`,
  'what runs has a session, or a lease of its own': `
    select id from tasks.task where state = ${RUNNING} and not lease_is_unary
      and not exists (select from tasks.session where session.id = task.session_id)`,
  'unique keys are unique': `select queue_id, unique_key from tasks.task where unique_key is not null group by 1, 2 having count(*) > 1`,
  'failures and losses fit the attempts': `select id from tasks.task where failures + losses > attempt`,
}

/** The invariants that do not hold, with the rows that break them. */
export async function* brokenInvariants(pool: pg.Pool): AsyncIterable<string> {
  for (const [claim, text] of Object.entries(invariants)) {
    const { rows } = await pool.query({ name: claim.replaceAll(' ', '-').slice(0, 60), text })
    if (rows.length > 0) yield `not true: ${claim}: ${JSON.stringify(rows.slice(0, 5))}`
  }
}

/** Limits that were exceeded at any moment of the run: what runs is counted change by change. */
export function* exceededLimits(changes: Change[], limitOf: (group: string) => number): Iterable<string> {
  const running = new Map<string, number>()
  for (const change of changes) {
    const step = Number(change.to === 'RUNNING') - Number(change.from === 'RUNNING')
    if (step === 0) continue
    const groups = [`queue ${change.queueId}`]
    if (change.concurrencyKey !== null) groups.push(`queue ${change.queueId} key ${change.concurrencyKey}`)
    for (const group of groups) {
      const count = (running.get(group) ?? 0) + step
      running.set(group, count)
      if (step > 0 && count > limitOf(group)) yield `${group} ran ${count} tasks, and its limit is ${limitOf(group)}`
    }
  }
}
