import { setTimeout as delay } from 'node:timers/promises'
import { dropExpiredPartitions } from '@flowforge/tasks/engine/partitions'
import { quantile } from '../../report/statistics.ts'
import type { Bench } from '../bench.ts'
import { Ours } from '../ours.ts'
import { now } from '../program/protocol.ts'

const leases = 2_000
const rowsPerInsert = 100_000
const dropMsMax = 60_000
const upkeepMs = 1_000

/** What finished tasks cost: leasing beside many of them, and dropping a day of them while others work. */
export async function history(bench: Bench): Promise<void> {
  const { finishedTasks, droppedTasks } = bench.scale
  const ours = new Ours(bench)
  try {
    await ours.createMany(2 * leases, () => ({}))
    await bench.store.analyze()
    await leaseTimes(ours, 50)
    const empty = quantile(await leaseTimes(ours, leases), 0.99)
    await fill(ours, finishedTasks, 14)
    await settle(ours)
    await ours.createMany(leases, () => ({}))
    await leaseTimes(ours, 50)
    bench.report('finishedTasks', finishedTasks)
    bench.report('leaseBesideHistory', quantile(await leaseTimes(ours, leases), 0.99) / empty)
    bench.report('dropMs', await longestCallWhileDropping(bench, ours, droppedTasks))
  } finally {
    await ours.close()
  }
}

/** The rows came at once, and not over days: what is still to be cleaned up and written of them is not their cost. */
async function settle(ours: Ours): Promise<void> {
  await ours.sql.query('vacuum (freeze, analyze) tasks.finished_task')
  await ours.sql.query('checkpoint')
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

/**
 * Stores finished tasks as completing leaves them, but by SQL, into the partitions of so many days from today on, one day
 * after the other; or all into the partition of the day before yesterday.
 */
async function fill(ours: Ours, count: number, days?: number): Promise<void> {
  for (let from = 0; from < count; from += rowsPerInsert)
    await ours.sql.query(
      `insert into tasks.finished_task (project, id, queue_id, type, state, priority, schedule_time, payload, create_time, start_time,
        attempt, session_id, worker, attempt_start, attempts, revision, finish_time, retain_until)
      select 'filled', uuidv7(), (select min(id) from tasks.queue), 'load', 4, 0, now(), convert_to(repeat('x', 150), 'UTF8'),
        now(), now(), 1, 1, 'load', now(), '[]', 3, now(), now() + $2 * interval '1 day'
      from generate_series(1, $1) as n`,
      [Math.min(rowsPerInsert, count - from), days === undefined ? -2 : Math.floor((from * days) / count)],
    )
}

/** Drops a day that is over as upkeep does; the longest call to the service meanwhile, in milliseconds. */
async function longestCallWhileDropping(bench: Bench, ours: Ours, count: number): Promise<number> {
  await ours.createMany(10_000, () => ({}))
  // As the service, whose partition it is to be.
  await ours.sql.query(
    `begin; set local role flowforge_tasks; select tasks.ensure_partition(now() - interval '2 days'); commit`,
  )
  await fill(ours, count)
  await settle(ours)
  let isDropping = true
  const drop = async (): Promise<void> => {
    const giveUpAt = now() + dropMsMax
    // Rather than make others wait long, it gives up and tries again when the upkeep runs next.
    while (await dropExpiredPartitions(ours.sql)) {
      if (now() > giveUpAt) bench.fail(`the partition that is over was still there after ${dropMsMax} ms`)
      await delay(upkeepMs)
    }
  }
  const longestCall = async (): Promise<number> => {
    let longest = 0
    while (isDropping) {
      const sentAt = now()
      const [leased] = await ours.lease(1)
      if (leased) await ours.complete(leased)
      longest = Math.max(longest, now() - sentAt)
    }
    return longest
  }
  const [longest] = await Promise.all([longestCall(), drop().finally(() => (isDropping = false))])
  return longest
}
