/** Worker sessions: one row for each stream, whose expiry is the expiry of every lease that the stream holds. */
import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { leaseOf, type LeaseKey } from './fence.ts'

export interface Session {
  id: bigint
  /** Proves that who resumes is who opened. */
  token: string
  /** Of the stream that serves it. */
  epoch: number
}

/** Opens a session that lives for `timeoutMs` unless it is renewed. */
export async function openSession(pool: pg.Pool, worker: string, timeoutMs: number): Promise<Session> {
  const token = randomBytes(16).toString('base64url')
  const { rows } = await pool.query({
    name: 'open-session',
    text: `insert into tasks.session (id, token, worker, expire_time)
      values (nextval('tasks.session_id'), $1, $2, tasks.now() + make_interval(secs => $3)) returning id`,
    values: [token, worker, timeoutMs / 1000],
  })
  return { id: BigInt(rows[0].id), token, epoch: 1 }
}

/** Takes a session over from the stream that served it; undefined if it is gone, and its leases with it. */
export async function resumeSession(
  pool: pg.Pool,
  id: bigint,
  token: string,
  timeoutMs: number,
): Promise<Session | undefined> {
  const { rows } = await pool.query({
    name: 'resume-session',
    text: `update tasks.session set expire_time = tasks.now() + make_interval(secs => $3), epoch = epoch + 1
      where id = $1 and token = $2 returning epoch`,
    values: [id, token, timeoutMs / 1000],
  })
  return rows[0] && { id, token, epoch: rows[0].epoch }
}

/** A number that no other session has, for a lease that stands for itself. */
export async function newSessionId(pool: pg.Pool): Promise<bigint> {
  const { rows } = await pool.query({ name: 'new-session-id', text: `select nextval('tasks.session_id') as id` })
  return BigInt(rows[0].id)
}

/** The running tasks of these sessions, but of none that another stream has resumed: what it was given is not ours to judge. */
export async function sessionLeases(pool: pg.Pool, sessions: Session[]): Promise<LeaseKey[]> {
  const { rows } = await pool.query({
    name: 'session-leases',
    text: `select task.* from unnest($1::bigint[], $2::integer[]) as served(id, epoch)
      join tasks.session using (id, epoch)
      cross join lateral (
        select project, id, attempt, session_id from tasks.task where session_id = served.id and state = 3 offset 0) as task`,
    values: [sessions.map(({ id }) => id), sessions.map(({ epoch }) => epoch)],
  })
  return rows.map(leaseOf)
}

/** Lets a session end after `graceMs`, unless another stream resumes it before, or has already. */
export async function expireSession(pool: pg.Pool, { id, epoch }: Session, graceMs: number): Promise<void> {
  await pool.query({
    name: 'expire-session',
    text: `update tasks.session set expire_time = least(expire_time, tasks.now() + make_interval(secs => $3)) where id = $1 and epoch = $2`,
    values: [id, epoch, graceMs / 1000],
  })
}

/** Forgets a session that holds no leases; else tells which it holds, unless another stream has resumed it. */
export async function closeSession(pool: pg.Pool, session: Session): Promise<LeaseKey[]> {
  const { rowCount } = await pool.query({
    name: 'close-session',
    text: `delete from tasks.session where id = $1 and epoch = $2 and not exists (select from tasks.task where session_id = $1 and state = 3)`,
    values: [session.id, session.epoch],
  })
  return rowCount === 1 ? [] : sessionLeases(pool, [session])
}

export interface Renewal {
  /** The sessions that live on; those that were asked for and are not here are gone. */
  alive: Set<bigint>
  /** Leases of these sessions whose attempts should stop. */
  cancelled: LeaseKey[]
}

/**
 * Renews sessions. One small statement for all sessions of the process.
 *
 * @param sessions Each with the milliseconds that it has left, counted from when its worker was last heard of.
 */
export async function renewSessions(pool: pg.Pool, sessions: { session: Session; leftMs: number }[]): Promise<Renewal> {
  const { rows } = await pool.query({
    name: 'renew-sessions',
    text: `with renewed as (
        update tasks.session set expire_time = tasks.now() + make_interval(secs => heard.left_ms / 1000)
        from unnest($1::bigint[], $2::integer[], $3::float8[]) as heard(id, epoch, left_ms)
        where session.id = heard.id and session.epoch = heard.epoch
        returning session.id
      )
      select id as session_id, null as project, null::uuid as id, null::integer as attempt from renewed
      union all
      select session_id, project, id, attempt from tasks.task where session_id = any($1::bigint[]) and state = 3 and cancel_requested`,
    values: [
      sessions.map(({ session }) => session.id),
      sessions.map(({ session }) => session.epoch),
      sessions.map(({ leftMs }) => leftMs),
    ],
  })
  const alive = new Set<bigint>()
  const cancelled: LeaseKey[] = []
  for (const row of rows) {
    const sessionId = BigInt(row.session_id)
    if (row.id === null) alive.add(sessionId)
    else cancelled.push({ project: row.project, id: row.id, attempt: row.attempt, sessionId })
  }
  return { alive, cancelled }
}
