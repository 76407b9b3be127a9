/** The streams that this process serves: their heartbeats, and who hears of cancellations and lost leases. */
import type { Logger } from '@flowforge/runtime/log'
import { aborted, unavailable } from '@flowforge/runtime/status'
import type { Engine } from '../engine/engine.ts'
import { renewSessions, sessionLeases } from '../engine/sessions.ts'
import { UpkeepLoop } from '../upkeep/loop.ts'
import type { WorkStream } from './work-stream.ts'

/** No statement runs longer than this: after that none can commit that was in flight. */
const doubtMs = 60_000

export interface WorkStreamsOptions {
  engine: Engine
  /** Without heartbeats a session ends after this long. */
  sessionTimeoutMs: number
  /** After a broken stream a session may be resumed for this long. */
  sessionGraceMs: number
  log: Logger
}

export class WorkStreams {
  readonly sessionTimeoutMs: number
  readonly sessionGraceMs: number
  readonly #streams = new Map<bigint, { stream: WorkStream; removed: Promise<void>; remove: () => void }>()
  /** Streams of which nobody knows whether their sessions hold more, and since when, by performance.now(). */
  readonly #doubted = new Map<WorkStream, number>()
  readonly #engine: Engine
  readonly #renewal: UpkeepLoop

  constructor({ engine, sessionTimeoutMs, sessionGraceMs, log }: WorkStreamsOptions) {
    this.sessionTimeoutMs = sessionTimeoutMs
    this.sessionGraceMs = sessionGraceMs
    this.#engine = engine
    engine.onCancel = (lease) => this.#streams.get(lease.sessionId)?.stream.cancel(lease)
    engine.onLost = (lease) => this.#streams.get(lease.sessionId)?.stream.lost(lease)
    this.#renewal = new UpkeepLoop(
      { name: 'renew-sessions', everyMs: sessionTimeoutMs / 3, runOnce: () => this.#renew() },
      log,
    )
  }

  start(): void {
    this.#renewal.start()
  }

  async stop(): Promise<void> {
    await this.#renewal.stop()
  }

  add(stream: WorkStream): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#streams.set(stream.session.id, { stream, removed: promise, remove: resolve })
  }

  remove(stream: WorkStream): void {
    const entry = this.#streams.get(stream.session.id)
    if (entry?.stream !== stream) return
    this.#streams.delete(stream.session.id)
    this.#doubted.delete(stream)
    entry.remove()
  }

  /** A statement may have given leases to the stream's session, now or later, that never reach it: they are looked for. */
  doubt(stream: WorkStream): void {
    if (this.#streams.get(stream.session.id)?.stream !== stream) return
    this.#doubted.set(stream, performance.now())
    this.#renewal.wake()
  }

  /** Ends the stream that served a session until now, if it was here. */
  async supersede(sessionId: bigint): Promise<void> {
    const entry = this.#streams.get(sessionId)
    if (!entry) return
    entry.stream.interrupt(aborted('SESSION_RESUMED', 'the session was resumed on another stream'))
    await entry.removed
  }

  /** Asks every worker to move to another instance. */
  goAway(): void {
    for (const { stream } of this.#streams.values()) stream.goAway()
  }

  async #renew(): Promise<undefined> {
    const heard = []
    for (const { stream } of this.#streams.values()) {
      const leftMs = this.sessionTimeoutMs - (performance.now() - stream.heardMs)
      if (leftMs > 0) heard.push({ session: stream.session, leftMs })
      // A stream without heartbeats is dead, whatever TCP says; its leases go after the grace.
      else stream.interrupt(unavailable('SESSION_EXPIRED', 'no heartbeat came in time'))
    }
    if (heard.length === 0) return
    const { alive, cancelled } = await renewSessions(this.#engine.pool, heard)
    for (const { session } of heard)
      if (!alive.has(session.id))
        this.#streams
          .get(session.id)
          ?.stream.interrupt(aborted('SESSION_LOST', 'the session has ended, and its leases with it'))
    for (const lease of cancelled) this.#streams.get(lease.sessionId)?.stream.cancel(lease)
    if (this.#doubted.size > 0) await this.#giveBackStrays([...this.#doubted])
  }

  /** Gives back what the sessions of doubted streams hold and their workers never heard of. */
  async #giveBackStrays(doubted: [WorkStream, number][]): Promise<void> {
    const { pool, dispatcher } = this.#engine
    const lookedMs = performance.now()
    const stored = await sessionLeases(
      pool,
      doubted.map(([stream]) => stream.session),
    )
    for (const [stream, sinceMs] of doubted) {
      const strays = stored.filter((lease) => lease.sessionId === stream.session.id && !stream.holds(lease))
      // What statements in flight have leased is about to reach the worker.
      if (strays.length > 0) await dispatcher.settled(stream.taker)
      this.#engine.giveBack(strays.filter((lease) => !stream.holds(lease)))
      if (lookedMs - sinceMs > doubtMs && this.#doubted.get(stream) === sinceMs) this.#doubted.delete(stream)
    }
  }
}
