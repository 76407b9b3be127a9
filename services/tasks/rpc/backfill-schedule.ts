import type {
  BackfillScheduleRequest,
  BackfillScheduleResponse,
} from '@flowforge/proto/opaque/flowforge/tasks/v1/schedule_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { notFound } from '@flowforge/runtime/status'
import { fireTimes } from '../engine/cron.ts'
import { keepRequests } from '../engine/requests.ts'
import { readSchedule } from '../engine/schedules.ts'
import { createForTime, requestIdOf } from '../upkeep/create-from-schedule.ts'
import { parseScheduleName } from './names.ts'
import type { Tasks } from './tasks.ts'
import { Violations } from './violations.ts'

const timesMax = 1000

/** BackfillSchedule: the tasks of all fire times of a stretch, past or to come, that have none yet. */
export function backfillSchedule({ engine }: Tasks): UnaryHandler<BackfillScheduleRequest, BackfillScheduleResponse> {
  return async ({ name, startTime, endTime }) => {
    const key = parseScheduleName(name)
    const violations = new Violations()
    violations.check(startTime !== undefined, 'start_time', 'is required')
    violations.check(endTime !== undefined, 'end_time', 'is required')
    const start = violations.time('start_time', startTime)
    const end = violations.time('end_time', endTime)
    if (start && end) violations.check(start < end, 'end_time', 'must be after start_time')
    violations.throwIfAny()
    const row = await readSchedule(engine.pool, key)
    if (!row) throw notFound(name)
    const times = fireTimes(row.cron, row.time_zone, start!, end!, timesMax + 1)
    violations.check(times.length <= timesMax, 'end_time', `is more than ${timesMax} fire times after start_time`)
    violations.throwIfAny()
    const tasks = await Promise.all(times.map((time) => createForTime(engine, row, time)))
    // Until the schedule has come to these times itself, and for long enough to repeat the call.
    await keepRequests(
      engine.pool,
      row.project,
      times.map((time) => ({ requestId: requestIdOf(row, time), after: time })),
    )
    return { tasks: tasks.filter((task) => task !== undefined) }
  }
}
