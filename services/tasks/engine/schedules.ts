/** Cron schedules as they are stored. When they fire is upkeep/fire-schedules.ts. */
import { isUniqueViolation } from '@flowforge/runtime/sqlstate'
import type pg from 'pg'
import type { ScheduleRow } from '../tables.ts'
import { nextFireTime } from './cron.ts'

/** True of a schedule whose time has come. */
export const isScheduleDue = 'not paused and next_fire_time <= tasks.now()'

export interface ScheduleKey {
  project: string
  id: string
}

/** The database's time, which decides when a schedule fires next. */
export async function databaseTime(pool: pg.Pool): Promise<Date> {
  const { rows } = await pool.query({ name: 'database-time', text: `select tasks.now() as now` })
  return rows[0].now
}

/** What a user decides about a schedule. */
export interface ScheduleSettings {
  cron: string
  timeZone: string
  /** An encoded flowforge.tasks.v1.Task, sealed if encryption is on. */
  template: Uint8Array
  missedFirePolicy: number
  overlapPolicy: number
  jitterMs: number
}

/** Stores a schedule; undefined if there is one of that name. */
export async function createSchedule(
  pool: pg.Pool,
  key: ScheduleKey,
  settings: ScheduleSettings,
): Promise<ScheduleRow | undefined> {
  const { cron, timeZone, template, missedFirePolicy, overlapPolicy, jitterMs } = settings
  const next = nextFireTime(cron, timeZone, await databaseTime(pool)) ?? null
  try {
    const { rows } = await pool.query<ScheduleRow>({
      name: 'create-schedule',
      text: `insert into tasks.schedule
        (project, id, cron, time_zone, template, missed_fire_policy, overlap_policy, jitter_ms, next_fire_time)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning *`,
      values: [
        key.project,
        key.id,
        cron,
        timeZone,
        Buffer.from(template),
        missedFirePolicy,
        overlapPolicy,
        jitterMs,
        next,
      ],
    })
    return rows[0]
  } catch (error) {
    if (isUniqueViolation(error)) return undefined
    throw error
  }
}

export async function readSchedule(pool: pg.Pool, key: ScheduleKey): Promise<ScheduleRow | undefined> {
  const { rows } = await pool.query<ScheduleRow>({
    name: 'read-schedule',
    text: `select * from tasks.schedule where project = $1 and id = $2`,
    values: [key.project, key.id],
  })
  return rows[0]
}

/** Up to `limit` of the project's schedules after `after`, by id. */
export async function listSchedules(
  pool: pg.Pool,
  project: string,
  after: string,
  limit: number,
): Promise<ScheduleRow[]> {
  const { rows } = await pool.query<ScheduleRow>({
    name: 'list-schedules',
    text: `select * from tasks.schedule where project = $1 and id > $2 order by id limit $3`,
    values: [project, after, limit],
  })
  return rows
}

export type ScheduleChange = Partial<ScheduleSettings> & { paused?: boolean }

/** Changes a schedule and, if that changes its times, computes when it fires next; undefined if there is none of that name. */
export async function changeSchedule(
  pool: pg.Pool,
  key: ScheduleKey,
  change: ScheduleChange,
): Promise<ScheduleRow | undefined> {
  for (;;) {
    const row = await readSchedule(pool, key)
    if (!row) return undefined
    const cron = change.cron ?? row.cron
    const timeZone = change.timeZone ?? row.time_zone
    const paused = change.paused ?? row.paused
    const isMoved = cron !== row.cron || timeZone !== row.time_zone || paused !== row.paused
    const next = isMoved && !paused ? (nextFireTime(cron, timeZone, await databaseTime(pool)) ?? null) : null
    const { rows } = await pool.query<ScheduleRow>({
      name: 'change-schedule',
      text: `update tasks.schedule set cron = $4, time_zone = $5, template = $6, missed_fire_policy = $7, overlap_policy = $8,
          jitter_ms = $9, paused = $10, next_fire_time = case when $11 then $12 else next_fire_time end, revision = revision + 1
        where project = $1 and id = $2 and revision = $3 returning *`,
      values: [
        key.project,
        key.id,
        row.revision,
        cron,
        timeZone,
        change.template ? Buffer.from(change.template) : row.template,
        change.missedFirePolicy ?? row.missed_fire_policy,
        change.overlapPolicy ?? row.overlap_policy,
        change.jitterMs ?? row.jitter_ms,
        paused,
        isMoved,
        next,
      ],
    })
    // Another change came between: decide anew on what it left.
    if (rows[0]) return rows[0]
  }
}

/** The schedule created a task beside its times. */
export async function noteTask(pool: pg.Pool, key: ScheduleKey, task: string): Promise<void> {
  await pool.query({
    name: 'note-schedule-task',
    text: `update tasks.schedule set last_task = $3 where project = $1 and id = $2`,
    values: [key.project, key.id, task],
  })
}

/** True if it was there. */
export async function deleteSchedule(pool: pg.Pool, key: ScheduleKey): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: 'delete-schedule',
    text: `delete from tasks.schedule where project = $1 and id = $2`,
    values: [key.project, key.id],
  })
  return rowCount === 1
}

export interface DueSchedules {
  due: ScheduleRow[]
  /** The database's time, by which they are due. */
  now: Date
}

/** Schedules whose time has come, for this transaction alone: other processes pass them over until it ends. */
export async function lockDueSchedules(client: pg.PoolClient, limit: number): Promise<DueSchedules> {
  const { rows } = await client.query<ScheduleRow & { now: Date }>({
    name: 'lock-due-schedules',
    text: `select *, tasks.now() as now from tasks.schedule where ${isScheduleDue}
      order by next_fire_time limit $1 for update skip locked`,
    values: [limit],
  })
  return { due: rows, now: rows[0]?.now ?? new Date(0) }
}

/** Whether a schedule is due, and the milliseconds until the next one that is not due yet. */
export async function nextSchedule(pool: pg.Pool): Promise<{ isDue: boolean; nextMs: number | undefined }> {
  const { rows } = await pool.query({
    name: 'next-schedule',
    text: `select
        exists (select from tasks.schedule where ${isScheduleDue}) as is_due,
        (select (extract(epoch from min(next_fire_time) - tasks.now()) * 1000)::float8 from tasks.schedule
          where not paused and next_fire_time > tasks.now()) as next_ms`,
  })
  return { isDue: rows[0].is_due, nextMs: rows[0].next_ms ?? undefined }
}

/** What became of a schedule that was due. */
export interface Firing extends ScheduleKey {
  /** The last time for which it created a task, and that task's name; null if it created none. */
  fireTime: Date | null
  task: string | null
  /** When it is due next; null for never again. */
  next: Date | null
}

/** Moves schedules on that `lockDueSchedules` gave to this transaction. */
export async function advanceSchedules(client: pg.PoolClient, firings: Firing[]): Promise<void> {
  await client.query({
    name: 'advance-schedules',
    text: `update tasks.schedule set last_fire_time = coalesce(firing.fire_time, last_fire_time),
        last_task = coalesce(firing.task, last_task), next_fire_time = firing.next
      from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::timestamptz[])
        as firing(project, id, fire_time, task, next)
      where schedule.project = firing.project and schedule.id = firing.id`,
    values: [
      firings.map(({ project }) => project),
      firings.map(({ id }) => id),
      firings.map(({ fireTime }) => fireTime),
      firings.map(({ task }) => task),
      firings.map(({ next }) => next),
    ],
  })
}
