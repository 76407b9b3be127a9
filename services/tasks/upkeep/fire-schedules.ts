/**
 * Creates the tasks of schedules whose time has come.
 *
 * A due schedule is locked while it fires, so that several processes share the work. The task's request ID names the
 * schedule and the fire time, so each time fires once even if the process dies before it has moved the schedule on.
 */
import { MissedFirePolicy, OverlapPolicy } from '@flowforge/proto/opaque/flowforge/tasks/v1/schedule_service.ts'
import { isTransient } from '@flowforge/runtime/sqlstate'
import { StatusError } from '@flowforge/runtime/status'
import { lastFireTimes, nextFireTime } from '../engine/cron.ts'
import type { Engine } from '../engine/engine.ts'
import { readTask } from '../engine/read.ts'
import { advanceSchedules, lockDueSchedules, nextSchedule, type Firing } from '../engine/schedules.ts'
import { keepRequests } from '../engine/requests.ts'
import { isUnreadable } from '../engine/seal.ts'
import { isFinished } from '../engine/states.ts'
import { parseTaskName, scheduleName } from '../rpc/names.ts'
import type { ScheduleRow } from '../tables.ts'
import { createForTime, requestIdOf } from './create-from-schedule.ts'

const batchMax = 100
const fireAllMax = 100
const skipAfterMs = 60_000

/** Fires what is due; answers with the milliseconds until the next time. */
export async function fireSchedules(engine: Engine): Promise<number | undefined> {
  const { isDue, nextMs } = await nextSchedule(engine.pool)
  if (!isDue) return nextMs
  const isFull = await fireDue(engine)
  return isFull ? 0 : (await nextSchedule(engine.pool)).nextMs
}

/** True if there may be more. */
async function fireDue(engine: Engine): Promise<boolean> {
  const client = await engine.pool.connect()
  try {
    await client.query('begin')
    const { due, now } = await lockDueSchedules(client, batchMax)
    const firings = await Promise.all(due.map((row) => fire(engine, row, now)))
    const done = firings.filter((firing) => firing !== undefined)
    if (done.length > 0) await advanceSchedules(client, done)
    await client.query('commit')
    // Those that could not be fired are still due, and not to be tried again at once.
    return due.length === batchMax && done.length > 0
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}

/** Undefined if it has to be tried again. */
async function fire(engine: Engine, row: ScheduleRow, now: Date): Promise<Firing | undefined> {
  let last = row.last_task
  const firing: Firing = { project: row.project, id: row.id, fireTime: null, task: null, next: null }
  for (const fireTime of timesToFire(row, now)) {
    try {
      if (!(await makesRoom(engine, row.overlap_policy, last))) continue
      firing.task = (await createForTime(engine, row, fireTime)) ?? null
      // For as long as a backfill may ask for this time again.
      await keepRequests(engine.pool, row.project, [{ requestId: requestIdOf(row, fireTime), after: fireTime }])
      firing.fireTime = fireTime
      last = firing.task
    } catch (error) {
      if (isPassing(error)) {
        engine.log.warn({ err: error, schedule: scheduleName(row) }, 'could not fire a schedule; trying again')
        return undefined
      }
      // A template that is refused must not hold up the schedule's later times, nor the other schedules.
      engine.log.error({ err: error, schedule: scheduleName(row) }, 'a schedule could not create its task')
    }
  }
  return { ...firing, next: nextFireTime(row.cron, row.time_zone, now) ?? null }
}

/** Which of the times since the schedule became due get a task, oldest first. */
function timesToFire(row: ScheduleRow, now: Date): Date[] {
  const since = row.next_fire_time!
  const times = (start: Date, max: number) => lastFireTimes(row.cron, row.time_zone, start, now, max)
  switch (row.missed_fire_policy) {
    case MissedFirePolicy.MISSED_FIRE_POLICY_FIRE_ALL:
      return times(since, fireAllMax)
    case MissedFirePolicy.MISSED_FIRE_POLICY_SKIP:
      return times(new Date(Math.max(since.getTime(), now.getTime() - skipAfterMs + 1)), fireAllMax)
    default:
      return times(since, 1)
  }
}

/** False if another task must not be created while the last one has not finished. */
async function makesRoom(engine: Engine, policy: number, last: string | null): Promise<boolean> {
  if (last === null) return true
  if (policy !== OverlapPolicy.OVERLAP_POLICY_SKIP && policy !== OverlapPolicy.OVERLAP_POLICY_CANCEL_PREVIOUS)
    return true
  const key = parseTaskName(last)
  const task = await readTask(engine.pool, key)
  if (!task || isFinished(task.state)) return true
  if (policy === OverlapPolicy.OVERLAP_POLICY_SKIP) return false
  await engine.cancel(key, null)
  return true
}

function isPassing(error: unknown): boolean {
  // A template that this instance cannot read, another one may, or this one once it has the key.
  return isTransient(error) || isUnreadable(error) || (error instanceof StatusError && error.reason === 'OVERLOADED')
}
