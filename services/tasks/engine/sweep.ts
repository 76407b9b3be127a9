/** Finds what ran out of time: sessions nobody renewed, attempts that take too long, tasks that expired before they started. */
import { Code } from '@flowforge/proto/google/rpc/code.ts'
import { Status } from '@flowforge/proto/google/rpc/status.ts'
import type pg from 'pg'
import { leaseOf } from './fence.ts'
import { insertFinished } from './finish.ts'
import { attemptTimeoutMsDefault } from './lease.ts'
import { isTaskOf } from './same-task.ts'
import { settleTasks, type Ending, type Settled } from './settle.ts'
import { DEAD, Outcome } from './states.ts'

const batchMax = 1000

export interface Sweep {
  settled: Settled[]
  /** Tasks that became DEAD because they expired. */
  expired: { project: string; id: string; queue_id: number }[]
  isFull: boolean
}

const lost = statusOf(Code.UNAVAILABLE, 'the worker went away without reporting an outcome')
const timedOut = statusOf(Code.DEADLINE_EXCEEDED, 'the attempt ran longer than its timeout')
const expiredBeforeStart = statusOf(Code.DEADLINE_EXCEEDED, 'the task expired before a worker took it')
/** What a task dies of that loses every worker that takes it. */
export const quarantineError = statusOf(Code.ABORTED, 'quarantined: its workers went away again and again').bytes

/**
 * Ends up to 1,000 attempts and 1,000 tasks whose time is up; several processes may sweep at once. Tells of each part as
 * soon as it is committed, for the next one may fail.
 */
export async function* sweep(pool: pg.Pool, lossesMax: number): AsyncGenerator<Sweep, void> {
  const bySession = await expireSessions(pool, lossesMax)
  yield { settled: bySession, expired: [], isFull: bySession.length === batchMax }
  const overdue = await overdueLeases(pool)
  const settled = overdue.length === 0 ? [] : await settleTasks(pool, overdue, lossesMax, quarantineError)
  yield { settled, expired: [], isFull: overdue.length === batchMax }
  const expired = await expireTasks(pool)
  yield { settled: [], expired, isFull: expired.length === batchMax }
}

async function overdueLeases(pool: pg.Pool): Promise<Ending[]> {
  const { rows } = await pool.query({
    name: 'overdue-leases',
    text: `select project, id, attempt, session_id,
        attempt_start + make_interval(secs => coalesce(attempt_timeout_ms, ${attemptTimeoutMsDefault}) / 1000.0) <= tasks.now() as is_timeout
      from tasks.task where state = 3 and lease_until <= tasks.now() order by lease_until limit ${batchMax}`,
  })
  return rows.map((row) => endingOf(row, row.is_timeout ? Outcome.timedOut : Outcome.lost))
}

/** A session is there before its first lease and never comes back: without it a lease has nobody. */
export const isOrphaned = `state = 3 and not lease_is_unary and not exists (select from tasks.session where session.id = task.session_id)`

/** Ends leases that were given to a session in the moment in which it ended. Looks at all that run: not every second. */
export async function endOrphaned(pool: pg.Pool, lossesMax: number): Promise<Settled[]> {
  const { rows } = await pool.query({
    name: 'orphaned-leases',
    text: `select project, id, attempt, session_id from tasks.task where ${isOrphaned} limit ${batchMax}`,
  })
  if (rows.length === 0) return []
  return settleTasks(
    pool,
    rows.map((row) => endingOf(row, Outcome.lost)),
    lossesMax,
    quarantineError,
  )
}

async function expireSessions(pool: pg.Pool, lossesMax: number): Promise<Settled[]> {
  const { rows } = await pool.query({
    name: 'expired-sessions',
    text: `select id from tasks.session where expire_time <= tasks.now() limit 100`,
  })
  if (rows.length === 0) return []
  const client = await pool.connect()
  try {
    // The session row is what a worker resumes: it goes together with its leases, or both stay.
    await client.query('begin')
    const { rows: ended } = await client.query({
      name: 'lock-expired-sessions',
      text: `select id from tasks.session where id = any($1) and expire_time <= tasks.now() for update skip locked`,
      values: [rows.map((row) => row.id)],
    })
    const { rows: running } = await client.query({
      name: 'expired-leases',
      text: `select project, id, attempt, session_id from tasks.task where session_id = any($1) and state = 3 limit ${batchMax}`,
      values: [ended.map((row) => row.id)],
    })
    const settled =
      running.length === 0
        ? []
        : await settleTasks(
            client,
            running.map((row) => endingOf(row, Outcome.lost)),
            lossesMax,
            quarantineError,
          )
    if (running.length < batchMax)
      await client.query({
        name: 'delete-sessions',
        text: `delete from tasks.session where id = any($1)`,
        values: [ended.map((row) => row.id)],
      })
    await client.query('commit')
    return settled
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}

const expire = `
with due as materialized (
  select project, id from tasks.task where state < 3 and start_time is null and expire_time <= tasks.now()
  order by expire_time limit ${batchMax} for update skip locked
), gone as (
  delete from tasks.task using due where ${isTaskOf('due')} returning task.*
), finished as (
  ${insertFinished('gone', { state: `${DEAD}`, error: '$1::bytea' })}
)
select project, id, queue_id from gone`

async function expireTasks(pool: pg.Pool): Promise<Sweep['expired']> {
  const { rows } = await pool.query({
    name: 'expire-tasks',
    text: expire,
    values: [Buffer.from(expiredBeforeStart.bytes)],
  })
  return rows
}

function endingOf(row: { project: string; id: string; attempt: number; session_id: string }, outcome: number): Ending {
  const status = outcome === Outcome.timedOut ? timedOut : lost
  return {
    ...leaseOf(row),
    outcome,
    error: status.bytes,
    code: status.code,
    message: status.message,
    isPermanent: false,
    delayMs: null,
  }
}

function statusOf(code: number, message: string) {
  return { code, message, bytes: Status.encode({ code, message, details: [] }).finish() }
}
