/** LISTEN on a connection of its own, kept alive: a pool in transaction mode could not hold it. */
import { setTimeout as setTimeoutAsync } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from './log.ts'

export interface ListenerOptions {
  url: string
  /** Shown as `application_name`. */
  component: string
  /** The channel that others NOTIFY. */
  channel: string
  onMessage: (payload: string) => void
  /** The connection is back; messages may have been missed meanwhile. */
  onReconnect: () => void
  log: Logger
}

const reconnectMs = 1_000
// A connection that a firewall has cut in silence is only found by asking something on it.
const pingEveryMs = 15_000
const pingMsMax = 5_000

/** Hears what is notified on one channel, from `start` until `stop`, over as many connections as that takes. */
export class DatabaseListener {
  readonly #options: ListenerOptions
  readonly #stopped = new AbortController()
  #listening: Promise<void> | undefined

  constructor(options: ListenerOptions) {
    this.#options = options
  }

  /** Connects and listens; resolves when messages arrive from then on. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#listening = this.#keepListening(resolve)
    })
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#listening
  }

  async #keepListening(onListening: () => void): Promise<void> {
    const { url, component, channel, onMessage, onReconnect, log } = this.#options
    const { signal } = this.#stopped
    while (!signal.aborted) {
      const client = new pg.Client({
        connectionString: url,
        application_name: `${component} listener`,
        keepAlive: true,
        connectionTimeoutMillis: 5_000,
        query_timeout: pingMsMax,
      })
      const over = new AbortController()
      client.once('end', () => over.abort()).once('error', () => over.abort())
      client.on('notification', ({ payload = '' }) => onMessage(payload))
      try {
        await client.connect()
        await client.query(`listen ${channel}`)
        onListening()
        onListening = onReconnect
        await keepAsking(client, AbortSignal.any([signal, over.signal]))
      } catch (error) {
        log.warn({ err: error, channel }, 'cannot listen to the database; trying again')
      }
      await client.end().catch(() => undefined)
      await setTimeoutAsync(reconnectMs, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** Resolves when the signal is aborted, rejects when a question on the connection stays unanswered. */
async function keepAsking(client: pg.Client, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await setTimeoutAsync(pingEveryMs, undefined, { signal }).catch(() => undefined)
    if (!signal.aborted) await client.query('select 1')
  }
}
