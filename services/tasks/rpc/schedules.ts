/** ScheduleService: creates tasks again and again, by the clock. */
import {
  MissedFirePolicy,
  OverlapPolicy,
  type Schedule,
  type ScheduleServiceService,
} from '@flowforge/proto/opaque/flowforge/tasks/v1/schedule_service.ts'
import { Task } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import { decodePageToken, encodePageToken } from '@flowforge/runtime/page-token'
import { pageSizeOf } from '@flowforge/runtime/paging'
import type { Handlers } from '@flowforge/runtime/server'
import { alreadyExists, notFound } from '@flowforge/runtime/status'
import { fieldsToChange } from '@flowforge/runtime/update-mask'
import { nextFireTime } from '../engine/cron.ts'
import * as schedules from '../engine/schedules.ts'
import type { ScheduleRow } from '../tables.ts'
import { createForNow, openTemplate } from '../upkeep/create-from-schedule.ts'
import { backfillSchedule } from './backfill-schedule.ts'
import { checkTask } from './check-task.ts'
import { keepSecret, readablePayload } from './hide-secret.ts'
import { idDescription, isId, parseProject, parseScheduleName, scheduleName } from './names.ts'
import { durationOf } from './task-message.ts'
import type { Tasks } from './tasks.ts'
import { Violations } from './violations.ts'

const hourMs = 3_600_000

/** @param onChanged Called when some schedule may fire earlier than before. */
export function scheduleHandlers(tasks: Tasks, onChanged: () => void): Handlers<ScheduleServiceService> {
  const { pool, sealer } = tasks.engine
  const change = async (name: string, wanted: schedules.ScheduleChange): Promise<Schedule> => {
    const row = await schedules.changeSchedule(pool, parseScheduleName(name), wanted)
    if (!row) throw notFound(name)
    onChanged()
    return messageOf(row)
  }
  const messageOf = (row: ScheduleRow): Schedule => scheduleMessage(row, openTemplate(sealer, row))
  const rowByName = async (name: string): Promise<ScheduleRow> => {
    const row = await schedules.readSchedule(pool, parseScheduleName(name))
    if (!row) throw notFound(name)
    return row
  }
  return {
    async createSchedule({ parent, schedule, scheduleId }) {
      const project = parseProject(parent)
      const violations = new Violations()
      violations.check(isId(scheduleId), 'schedule_id', idDescription)
      checkCron(violations, schedule?.cron ?? '', schedule?.timeZone ?? '')
      const policies = checkPolicies(violations, schedule)
      violations.throwIfAny()
      const template = templateOf(tasks, { project, id: scheduleId }, schedule?.task)
      const row = await schedules.createSchedule(
        pool,
        { project, id: scheduleId },
        { cron: schedule!.cron, timeZone: schedule!.timeZone || 'UTC', template, ...policies },
      )
      if (!row) throw alreadyExists('SCHEDULE_EXISTS', `${parent}/schedules/${scheduleId} exists already`)
      onChanged()
      return messageOf(row)
    },
    getSchedule: async ({ name }) => messageOf(await rowByName(name)),
    async listSchedules({ parent, pageSize, pageToken }) {
      const project = parseProject(parent)
      const limit = pageSizeOf(pageSize)
      const rows = await schedules.listSchedules(
        pool,
        project,
        String(decodePageToken(pageToken, parent) ?? ''),
        limit + 1,
      )
      const page = rows.slice(0, limit)
      return {
        schedules: page.map(messageOf),
        nextPageToken: rows.length > limit ? encodePageToken(page.at(-1)!.id, parent) : '',
      }
    },
    async updateSchedule({ schedule, updateMask }) {
      const row = await rowByName(schedule?.name ?? '')
      const { cron = '', timeZone = '', task, missedFirePolicy = 0, overlapPolicy = 0, jitter } = schedule ?? {}
      const changed = fieldsToChange(updateMask, {
        cron: cron !== '',
        time_zone: timeZone !== '',
        task: task !== undefined,
        missed_fire_policy: missedFirePolicy !== 0,
        overlap_policy: overlapPolicy !== 0,
        jitter: jitter !== undefined,
      })
      const isCron = changed.has('cron')
      const isZone = changed.has('time_zone')
      const violations = new Violations()
      checkCron(violations, isCron ? cron : row.cron, isZone ? timeZone : row.time_zone)
      const policies = checkPolicies(violations, schedule)
      violations.throwIfAny()
      return change(schedule!.name, {
        ...(isCron && { cron }),
        ...(isZone && { timeZone: timeZone || 'UTC' }),
        ...(changed.has('task') && {
          template: templateOf(tasks, row, task && keepSecret(task, openTemplate(sealer, row))),
        }),
        ...(changed.has('missed_fire_policy') && { missedFirePolicy: policies.missedFirePolicy }),
        ...(changed.has('overlap_policy') && { overlapPolicy: policies.overlapPolicy }),
        ...(changed.has('jitter') && { jitterMs: policies.jitterMs }),
      })
    },
    async deleteSchedule({ name }) {
      if (!(await schedules.deleteSchedule(pool, parseScheduleName(name)))) throw notFound(name)
      return {}
    },
    pauseSchedule: ({ name }) => change(name, { paused: true }),
    resumeSchedule: ({ name }) => change(name, { paused: false }),
    async runSchedule({ name }) {
      const row = await rowByName(name)
      const task = await createForNow(tasks.engine, row)
      await schedules.noteTask(pool, row, task.name)
      return task
    },
    backfillSchedule: backfillSchedule(tasks),
  }
}

function checkCron(violations: Violations, cron: string, timeZone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timeZone || 'UTC' })
  } catch {
    return violations.add(
      'schedule.time_zone',
      `"${timeZone.slice(0, 64)}" is no IANA time zone; for example "Europe/Berlin"`,
    )
  }
  try {
    if (cron.length > 255) throw new Error('longer than 255 characters')
    nextFireTime(cron, timeZone || 'UTC', new Date())
  } catch (error) {
    violations.add('schedule.cron', `is no cron line (${(error as Error).message}); for example "0 2 * * *"`)
  }
}

function checkPolicies(violations: Violations, schedule: Schedule | undefined) {
  const { missedFirePolicy = 0, overlapPolicy = 0, jitter } = schedule ?? {}
  violations.check(
    isKnown(MissedFirePolicy, missedFirePolicy),
    'schedule.missed_fire_policy',
    'is none of the known ones',
  )
  violations.check(isKnown(OverlapPolicy, overlapPolicy), 'schedule.overlap_policy', 'is none of the known ones')
  const jitterMs = violations.duration('schedule.jitter', jitter, 0, hourMs) ?? 0
  return { missedFirePolicy, overlapPolicy, jitterMs }
}

function isKnown(policies: Record<string, number>, value: number): boolean {
  return value >= 0 && Object.values(policies).includes(value)
}

/** The task to create, checked now so that it will not be refused later. */
function templateOf(
  { engine, payloadBytesMax }: Tasks,
  key: schedules.ScheduleKey,
  task: Task | undefined,
): Uint8Array {
  checkTask(key.project, task, '', payloadBytesMax, '', 'schedule.')
  const template = Task.encode({ ...task!, name: '', scheduleTime: undefined, requestId: '' }).finish()
  return engine.sealer.seal('template', key, template)
}

function scheduleMessage(row: ScheduleRow, task: Task): Schedule {
  return {
    name: scheduleName(row),
    cron: row.cron,
    timeZone: row.time_zone,
    task: { ...task, payload: task.payload && readablePayload(task.type, task.payload) },
    paused: row.paused,
    nextFireTime: row.next_fire_time ?? undefined,
    lastFireTime: row.last_fire_time ?? undefined,
    lastTask: row.last_task ?? '',
    createTime: row.create_time,
    missedFirePolicy: (row.missed_fire_policy || MissedFirePolicy.MISSED_FIRE_POLICY_FIRE_ONCE) as MissedFirePolicy,
    overlapPolicy: (row.overlap_policy || OverlapPolicy.OVERLAP_POLICY_ALLOW) as OverlapPolicy,
    jitter: row.jitter_ms === 0 ? undefined : durationOf(row.jitter_ms),
  }
}
