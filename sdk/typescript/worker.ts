import { hostname } from 'node:os'
import type { Lease, LeasedTask, Outcome } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { NumberedMap } from '@flowforge/grpc/numbered-map'
import { Aborter } from './aborter.ts'
import type { ConnectionOptions } from './connection.ts'
import type { AbortReason } from './errors.ts'
import { stderrLog, type Log } from './log.ts'
import { runAttempt, type AttemptEnd, type Handler } from './run-attempt.ts'
import { Session } from './session.ts'

/** What a worker is given. */
export interface WorkerOptions extends ConnectionOptions {
  /** `projects/{project}`, or `projects/-` for all projects. */
  parent: string
  /** What it can run: task type → handler. */
  handlers: Record<string, Handler>
  /** Queues to take from; all, if unset. */
  queues?: string[]
  /** How many tasks it runs at a time; 10 if unset. */
  capacity?: number
  /** Its name, for people; host and process id, if unset. */
  name?: string
  /** How long a handler may take to stop once its signal is aborted; 5 s if unset. */
  abortGraceMs?: number
  /** Warnings and errors go to stderr, if unset. */
  log?: Log
  /** Told of each attempt that ended, for metrics. */
  onAttempt?(attempt: { type: string; end: AttemptEnd; ms: number }): void
  /** Told of each lease before its handler runs, and of what the server answered to its outcome: an audit compares them. */
  onLeased?(lease: Lease): void
  onSettled?(outcome: Outcome, verdict: 'accepted' | 'refused'): void
}

const settleMs = 3_000
const closeMs = 1_000

/**
 * Runs tasks: keeps a session with FlowForge, gives each leased task to its handler, and reports what became of it.
 *
 * Survives broken connections and restarted servers without disturbing handlers, as long as the server still holds the
 * session. A handler whose lease was lost is aborted, and what it returns is not reported.
 */
export class Worker {
  readonly #options: WorkerOptions
  readonly #log: Log
  readonly #session: Session
  readonly #running = new NumberedMap<Aborter>()
  readonly #abortGraceMs: number
  #stopped: Promise<void> | undefined
  #onIdle: (() => void) | undefined

  constructor(options: WorkerOptions) {
    const {
      parent,
      handlers,
      queues = [],
      capacity = 10,
      name = `${hostname()}/${process.pid}`,
      abortGraceMs = 5_000,
      log = stderrLog(),
    } = options
    const types = Object.keys(handlers)
    if (types.length === 0) throw new TypeError('a worker needs at least one handler')
    this.#options = options
    this.#log = log
    this.#abortGraceMs = abortGraceMs
    this.#session = new Session(
      options,
      { parent, worker: name, queues, types, capacity },
      {
        onLease: (leased, lease) => {
          options.onLeased?.(lease)
          void this.#run(leased, lease)
        },
        onCancel: (lease) => this.#abort(lease, 'cancelled'),
        onLost: (lease) => this.#abort(lease, 'lost'),
        onSettled: (outcome, verdict) => options.onSettled?.(outcome, verdict),
      },
      log,
    )
  }

  /** Resolves once the server has welcomed the worker; waits for a server that is not there yet. */
  start(): Promise<void> {
    return this.#session.open()
  }

  /** True while the worker has a stream to the server. */
  get isConnected(): boolean {
    return this.#session.isConnected
  }

  /** How many attempts run now. */
  get running(): number {
    return this.#running.size
  }

  /**
   * Takes no more tasks and lets running ones finish for up to `graceMs`; then aborts the rest and gives them back,
   * which costs them no attempt. Resolves when all outcomes are acknowledged and the stream is closed, at the latest
   * 4 s after the grace and the abort's own.
   */
  drain(graceMs: number): Promise<void> {
    this.#stopped ??= this.#drain(graceMs)
    return this.#stopped
  }

  /** Drains without a grace. */
  stop(): Promise<void> {
    return this.drain(0)
  }

  async #drain(graceMs: number): Promise<void> {
    this.#session.drain()
    const grace = setTimeout(() => this.#abortAll('draining'), graceMs)
    if (this.running > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    clearTimeout(grace)
    await this.#session.settled(settleMs)
    await this.#session.close(closeMs)
  }

  async #run({ task, traceparent }: LeasedTask, lease: Lease): Promise<void> {
    if (!task) return
    const startedAt = performance.now()
    const handlers = this.#options.handlers
    const aborter = new Aborter()
    this.#running.add(lease.task, lease.attempt, aborter)
    const { end, outcome } = await runAttempt({
      task,
      lease,
      traceparent,
      handler: Object.hasOwn(handlers, task.type) ? handlers[task.type] : undefined,
      aborter,
      abortGraceMs: this.#abortGraceMs,
      progress: (value) => this.#session.progress(lease, value),
      log: this.#log,
    })
    if (outcome) this.#session.report(outcome)
    this.#running.take(lease.task, lease.attempt)
    if (this.running === 0) this.#onIdle?.()
    this.#options.onAttempt?.({ type: task.type, end, ms: performance.now() - startedAt })
  }

  #abort(lease: Lease, reason: AbortReason): void {
    this.#running.get(lease.task, lease.attempt)?.abort(reason)
  }

  #abortAll(reason: AbortReason): void {
    for (const aborter of this.#running.all()) aborter.abort(reason)
  }
}
