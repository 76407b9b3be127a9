/**
 * Telling the other processes that something happened: LISTEN/NOTIFY on a connection of its own, outside the
 * transactions that write (NOTIFY inside them takes a lock that all commits share). What is told is only a hint;
 * the slow poll finds whatever a lost message meant.
 */
import { randomUUID } from 'node:crypto'
import { DatabaseListener } from '@flowforge/runtime/database-listener'
import type { Logger } from '@flowforge/runtime/log'
import type pg from 'pg'

const channel = 'flowforge_tasks'
const windowMs = 100

export interface Cancellation {
  sessionId: bigint
  project: string
  id: string
  attempt: number
}

export interface WakeupHandlers {
  /** Some of these queues have READY tasks. */
  onReady: (queueIds: number[]) => void
  /** The queue has a READY task that waits since then, in milliseconds since the epoch; -Infinity if it may be any. */
  onReadySince: (queueId: number, sinceMs: number) => void
  /** A task became SCHEDULED and is due soon. */
  onScheduled: () => void
  /** The queue's settings changed. */
  onQueueChange: (queueId: number) => void
  /** An attempt should stop. */
  onCancel: (cancellation: Cancellation) => void
  /** The connection is back; messages may have been missed. */
  onReconnect: () => void
}

export class Wakeups {
  /** Ends in what this process sent, so that it does not wake itself twice. */
  readonly #origin = randomUUID().slice(0, 8)
  /** Queues, and since when their tasks wait. */
  readonly #ready = new Map<number, number>()
  readonly #pool: pg.Pool
  readonly #handlers: WakeupHandlers
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #isQuiet = true
  readonly #listener: DatabaseListener

  constructor(pool: pg.Pool, url: string, handlers: WakeupHandlers, log: Logger) {
    this.#pool = pool
    this.#handlers = handlers
    this.#log = log
    this.#listener = new DatabaseListener({
      url,
      component: 'tasks',
      channel,
      onMessage: (payload) => this.#receive(payload),
      onReconnect: handlers.onReconnect,
      log,
    })
  }

  /** Connects and listens; resolves when messages arrive from then on. */
  start(): Promise<void> {
    return this.#listener.start()
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#listener.stop()
  }

  /** Tells the others of READY tasks: the first at once, then at most once in 100 ms. */
  announceReady(queueId: number, sinceMs: number): void {
    this.#ready.set(queueId, Math.min(this.#ready.get(queueId) ?? Infinity, sinceMs))
    if (this.#isQuiet) this.#flush()
  }

  /** Tells the others to look at a queue's settings again. */
  announceQueueChange(queueId: number): Promise<void> {
    return this.#notify(`queue ${queueId}`)
  }

  /** Tells whoever serves the sessions that these attempts should stop. */
  async announceCancels(cancellations: Cancellation[]): Promise<void> {
    if (cancellations.length === 0) return
    await this.#notify(
      ...cancellations.map(({ sessionId, project, id, attempt }) => `cancel ${sessionId} ${project} ${id} ${attempt}`),
    )
  }

  #flush(): void {
    if (this.#ready.size === 0) {
      this.#isQuiet = true
      return
    }
    this.#isQuiet = false
    // A payload holds 8,000 bytes; what does not fit goes with the next window.
    const told = [...this.#ready].slice(0, 300)
    for (const [queueId] of told) this.#ready.delete(queueId)
    // Instances of the version before read the first list only.
    const [queueIds, sinceMs] = [told.map(([queueId]) => queueId), told.map(([, ms]) => ms)]
    this.#notify(`ready ${queueIds.join(',')} ${sinceMs.join(',')}`).catch((error) =>
      this.#log.warn({ err: error }, 'could not tell the other processes of ready tasks'),
    )
    this.#timer = setTimeout(() => this.#flush(), windowMs)
  }

  async #notify(...messages: string[]): Promise<void> {
    await this.#pool.query({
      name: 'notify',
      text: `select pg_notify('${channel}', message) from unnest($1::text[]) as message`,
      values: [messages.map((message) => `${this.#origin} ${message}`)],
    })
  }

  #receive(payload: string): void {
    const [origin, kind, ...rest] = payload.split(' ')
    if (origin === this.#origin) return
    if (kind === 'ready') this.#receiveReady(rest[0]!.split(',').map(Number), rest[1]?.split(',').map(Number))
    // Only tasks.enqueue() says so; what an instance schedules it promotes itself.
    if (kind === 'scheduled') this.#handlers.onScheduled()
    if (kind === 'queue') this.#handlers.onQueueChange(Number(rest[0]))
    if (kind === 'cancel') {
      const [sessionId, project, id, attempt] = rest as [string, string, string, string]
      this.#handlers.onCancel({ sessionId: BigInt(sessionId), project, id, attempt: Number(attempt) })
    }
  }

  /** Without times it comes from tasks.enqueue() or an instance of the version before. */
  #receiveReady(queueIds: number[], sinceMs: number[] | undefined): void {
    if (!sinceMs) return this.#handlers.onReady(queueIds)
    for (const [i, queueId] of queueIds.entries()) this.#handlers.onReadySince(queueId, sinceMs[i]!)
  }
}
