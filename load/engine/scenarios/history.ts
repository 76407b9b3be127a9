import { quantile } from '../../report/statistics.ts'
import type { Bench } from '../bench.ts'
import { Ours } from '../ours.ts'
import { now } from '../program/protocol.ts'

const leases = 200
const rowsPerInsert = 100_000

/** What finished tasks cost: leasing beside many of them, and dropping a day of them while others work. */
export async function history(bench: Bench): Promise<void> {
  const { finishedTasks, droppedTasks } = bench.scale
  const ours = new Ours(bench)
  try {
    await ours.createMany(2 * leases, () => ({}))
    await bench.store.analyze()
    await leaseTimes(ours, 50)
    const empty = quantile(await leaseTimes(ours, leases), 0.99)
    await fill(ours, finishedTasks, `now() + (n % 14) * interval '1 day'`)
    await bench.store.analyze()
    await ours.createMany(leases, () => ({}))
    await leaseTimes(ours, 50)
    bench.report('finishedTasks', finishedTasks)
    bench.report('leaseBesideHistory', quantile(await leaseTimes(ours, leases), 0.99) / empty)
    bench.report('dropMs', await longestCallWhileDropping(bench, ours, droppedTasks))
  } finally {
    await ours.sql.query('truncate tasks.finished_task')
    await ours.close()
  }
}

/** Leases and completes tasks one by one; the milliseconds of each lease, sorted. */
async function leaseTimes(ours: Ours, count: number): Promise<number[]> {
  const times: number[] = []
  for (let n = 0; n < count; n++) {
    const sentAt = now()
    const [leased] = await ours.lease(1)
    times.push(now() - sentAt)
    if (!leased) throw new Error('there was no task to lease')
    await ours.complete(leased)
  }
  return times.toSorted((a, b) => a - b)
}

/** Stores finished tasks as completing does, but not one by one. */
async function fill(ours: Ours, count: number, retainUntil: string): Promise<void> {
  for (let from = 0; from < count; from += rowsPerInsert)
    await ours.sql.query(
      `insert into tasks.finished_task (project, id, queue_id, type, state, priority, schedule_time, payload, create_time, start_time,
        attempt, session_id, worker, attempt_start, attempts, revision, finish_time, retain_until)
      select 'default', gen_random_uuid(), (select min(id) from tasks.queue), 'load', 4, 0, now(), convert_to(repeat('x', 150), 'UTF8'),
        now(), now(), 1, 1, 'load', now(), '[]', 3, now(), ${retainUntil}
      from generate_series(1, $1) as n`,
      [Math.min(rowsPerInsert, count - from)],
    )
}

/** Another instance starts, and drops at once what is over; the longest call to this one meanwhile, in milliseconds. */
async function longestCallWhileDropping(bench: Bench, ours: Ours, count: number): Promise<number> {
  await ours.createMany(10_000, () => ({}))
  // As the service, whose partition it is to be.
  await ours.sql.query(
    `begin; set local role flowforge_tasks; select tasks.ensure_partition(now() - interval '2 days'); commit`,
  )
  await fill(ours, count, `now() - interval '2 days'`)
  const isThere = async () => {
    const { rows } = await ours.sql.query(
      `select to_regclass('tasks.finished_task_' || to_char((now() - interval '2 days') at time zone 'UTC', 'YYYYMMDD')) is not null as there`,
    )
    return rows[0].there as boolean
  }
  const second = bench.startInstance()
  let longest = 0
  const deadline = now() + 60_000
  while (await isThere()) {
    if (now() > deadline) bench.fail('the partition that is over was still there after 60 s')
    const sentAt = now()
    const [leased] = await ours.lease(1)
    if (leased) await ours.complete(leased)
    longest = Math.max(longest, now() - sentAt)
  }
  await second
  return longest
}
