/** The background duties of the service. Every instance runs all of them; SKIP LOCKED keeps them out of each other's way. */
import type { Engine } from '../engine/engine.ts'
import { dropExpiredPartitions, ensurePartitions } from '../engine/partitions.ts'
import { promoteTasks } from '../engine/promote.ts'
import { ageTasks, forgetKeys, giveFreeSlots, rollUpCounts } from '../engine/queues.ts'
import { forgetRequests } from '../engine/requests.ts'
import { whatIsDue, whatIsForgotten } from '../engine/due.ts'
import { endOrphaned, sweep } from '../engine/sweep.ts'
import { fireSchedules } from './fire-schedules.ts'
import type { Upkeep } from './loop.ts'

/** Longest waits between two runs; see each duty for when it runs sooner. */
const second = 1000
const minute = 60 * second

export interface Upkeeps {
  promote: Upkeep
  schedules: Upkeep
  others: Upkeep[]
}

/** @param wakeSchedules Runs `schedules` now. */
export function upkeeps(engine: Engine, wakeSchedules: () => void): Upkeeps {
  const { pool } = engine
  return {
    // Woken when a task is scheduled for sooner than it knows of, and by the sweep when one is due.
    promote: {
      name: 'promote-tasks',
      everyMs: minute,
      async runOnce() {
        const { queueIds, sinceMs, nextMs, isFull } = await promoteTasks(pool)
        engine.promoted(queueIds, sinceMs)
        return isFull ? 0 : nextMs
      },
    },
    // Woken when a schedule changes, and by the sweep when one is due.
    schedules: { name: 'fire-schedules', everyMs: minute, runOnce: () => fireSchedules(engine) },
    others: [
      {
        name: 'sweep',
        everyMs: second,
        async runOnce() {
          const { isOverdue, isAgeing, isCounted, isTaskDue, isScheduleDue } = await whatIsDue(pool)
          if (isTaskDue) engine.onScheduled(0)
          if (isScheduleDue) wakeSchedules()
          const isFull = [isOverdue && (await endOverdue(engine)), isAgeing && (await ageTasks(pool))].includes(true)
          if (isCounted) await rollUpCounts(pool)
          return isFull ? 0 : undefined
        },
      },
      {
        // The safety nets: under wake-ups that were lost, and under leases whose session ended as they were given.
        name: 'find-forgotten',
        // No more than five seconds with the jitter, and no oftener than it must: an idle instance asks little.
        everyMs: 4.75 * second,
        async runOnce() {
          const { queueIds, isOrphaned } = await whatIsForgotten(pool)
          engine.look(queueIds)
          if (isOrphaned) engine.swept({ settled: await endOrphaned(pool, engine.lossesMax), expired: [] })
          return undefined
        },
      },
      {
        name: 'tidy-keys',
        everyMs: minute,
        async runOnce() {
          engine.promoted(await giveFreeSlots(pool))
          await forgetKeys(pool)
          return undefined
        },
      },
      { name: 'forget-requests', everyMs: minute, runOnce: async () => ((await forgetRequests(pool)) ? 0 : undefined) },
      { name: 'ensure-partitions', everyMs: 60 * minute, runOnce: () => done(ensurePartitions(pool)) },
      {
        name: 'drop-partitions',
        everyMs: 10 * minute,
        runOnce: async () => ((await dropExpiredPartitions(pool)) ? second : undefined),
      },
    ],
  }
}

async function endOverdue(engine: Engine): Promise<boolean> {
  let isFull = false
  for await (const swept of sweep(engine.pool, engine.lossesMax)) {
    engine.swept(swept)
    isFull ||= swept.isFull
  }
  return isFull
}

async function done(work: Promise<void>): Promise<undefined> {
  await work
}
