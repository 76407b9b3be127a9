/** Looks at the system while an experiment runs: whether it noticed, and whether a limit is exceeded at any moment. */
import { setTimeout as delay } from 'node:timers/promises'
import { isReady } from '@flowforge/local/readiness'
import pg from 'pg'
import { chaosQueue } from '../traffic/producer.ts'

/** Something that happened, in milliseconds since the run began. */
export interface Moment {
  atMs: number
  what: string
}

export interface WatchOptions {
  databaseUrl: string
  /** host:port of the admin servers, by the processes' names. */
  adminPorts: Map<string, number>
  elapsedMs: () => number
}

const everyMs = 200

/** Polls until it is stopped; a process or a database that does not answer is a finding, not a failure. */
export class Watch {
  /** Moments at which a process began to be unready. */
  readonly unready: Moment[] = []
  /** Moments at which more tasks of one key ran than may. */
  readonly exceeded: string[] = []
  /** How often the limit was looked at with an answer. */
  looks = 0
  /** Tasks that have not finished, at the last look. */
  backlog = 0
  readonly #options: WatchOptions
  readonly #stop = new AbortController()
  readonly #wasReady = new Map<string, boolean>()
  readonly #loops: Promise<void>[]

  constructor(options: WatchOptions) {
    this.#options = options
    this.#loops = [this.#repeat(() => this.#readiness()), this.#repeat(() => this.#tasks())]
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#loops)
  }

  async #repeat(look: () => Promise<void>): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await look()
      await delay(everyMs, undefined, { signal: this.#stop.signal }).catch(() => {
        // Stopped.
      })
    }
  }

  async #readiness(): Promise<void> {
    const { adminPorts, elapsedMs } = this.#options
    const ask = async ([name, port]: [string, number]) => {
      const ready = await isReady(port)
      if (!ready && this.#wasReady.get(name)) this.unready.push({ atMs: elapsedMs(), what: `${name} is not ready` })
      this.#wasReady.set(name, ready)
    }
    await Promise.all([...adminPorts].map(ask))
  }

  async #tasks(): Promise<void> {
    const client = new pg.Client({ connectionString: this.#options.databaseUrl, connectionTimeoutMillis: 1_000 })
    client.on('error', () => {
      // PostgreSQL ended it; the next look connects anew.
    })
    try {
      await client.connect()
      while (!this.#stop.signal.aborted) {
        const { rows } = await client.query<{ key: string | null; count: number }>(
          `select case when state = 3 then concurrency_key end as key, count(*)::int from tasks.task group by 1`,
        )
        this.looks += 1
        this.backlog = rows.reduce((sum, { count }) => sum + count, 0)
        for (const { key, count } of rows)
          if (key !== null && count > chaosQueue.concurrencyPerKey)
            this.exceeded.push(`${count} tasks of ${key} ran at once`)
        await delay(everyMs)
      }
    } catch {
      // The database is down or restarting: there is nothing to see now.
    } finally {
      await client.end().catch(() => {})
    }
  }
}
