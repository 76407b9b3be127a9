import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from '@flowforge/runtime/log'
import { changesChannel } from '../engine/following.ts'

/** The time during which this instance leads. */
export interface Term {
  /** Aborted when the process stops or the connection that holds the lead is lost. */
  signal: AbortSignal
  /** Calls `listener` when the subscriptions have changed. */
  onChange(listener: () => void): void
}

export interface LeadOptions {
  /** A session connection: behind PgBouncer it must not go through a transaction pool. */
  databaseUrl: string
  log: Logger
  signal: AbortSignal
  /** What the leader does, until its signal is aborted. */
  term: (term: Term) => Promise<void>
  /** Pause between two tries to become the leader. */
  retryMs?: number
}

/**
 * Runs `term` on one instance at a time, until `signal` is aborted.
 *
 * The lead is an advisory lock on a connection of its own, which also listens for changes. It falls to another
 * instance as soon as the database sees the leader's connection end; should that take long, the follower's version
 * (engine/following.ts) keeps the old leader from moving the cursor.
 */
export async function lead(options: LeadOptions): Promise<void> {
  const { log, signal, retryMs = 1_000 } = options
  while (!signal.aborted) {
    try {
      await session(options)
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'the lead is lost or cannot be taken; trying again')
    }
    await pause(retryMs, signal)
  }
}

async function session(options: LeadOptions): Promise<void> {
  const { databaseUrl, log, signal, term, retryMs = 1_000 } = options
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'flowforge-notifications-follower',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  })
  const lost = new AbortController()
  client.on('error', (error) => lost.abort(error))
  client.on('end', () => lost.abort(new Error('the connection has ended')))
  const over = AbortSignal.any([signal, lost.signal])
  try {
    await client.connect()
    // A leader whose machine vanished is noticed within half a minute, not after the system's two hours.
    await client.query('set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3')
    while (!(await tryLock(client))) {
      await pause(retryMs, over)
      if (over.aborted) return
    }
    await client.query(`listen ${changesChannel}`)
    log.info('following finished tasks')
    await term({ signal: over, onChange: (listener) => void client.on('notification', listener) })
  } finally {
    await client.end().catch((error: unknown) => log.debug({ err: error }, 'the connection was closed already'))
  }
  if (!signal.aborted) throw lost.signal.reason ?? new Error('the term has ended')
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ is_locked: boolean }>(
    `select pg_try_advisory_lock(hashtextextended('notifications.follower', 0)) as is_locked`,
  )
  return rows[0]!.is_locked
}

/** Waits, or returns early when the signal is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await wait(ms, undefined, { signal }).catch(() => {
    // Aborted: the caller looks at its signal next.
  })
}
