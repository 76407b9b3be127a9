import { hostname } from 'node:os'
import type { Lease, LeasedTask, Outcome } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import type { ConnectionOptions } from './connection.ts'
import { AttemptAbortedError, type AbortReason } from './errors.ts'
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
  readonly #running = new Map<string, { controller: AbortController; done: Promise<void> }>()
  readonly #abortGraceMs: number
  #stopped: Promise<void> | undefined

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
          this.#run(leased, lease)
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
    await this.#idle()
    clearTimeout(grace)
    await this.#session.settled(settleMs)
    await this.#session.close(closeMs)
  }

  async #idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all([...this.#running.values()].map(({ done }) => done))
  }

  #run(leased: LeasedTask, lease: Lease): void {
    const controller = new AbortController()
    const done = this.#attempt(leased, lease, controller).finally(() => this.#running.delete(key(lease)))
    this.#running.set(key(lease), { controller, done })
  }

  async #attempt({ task, traceparent }: LeasedTask, lease: Lease, controller: AbortController): Promise<void> {
    if (!task) return
    const startedAt = performance.now()
    const handlers = this.#options.handlers
    const { end, outcome } = await runAttempt({
      task,
      lease,
      traceparent,
      handler: Object.hasOwn(handlers, task.type) ? handlers[task.type] : undefined,
      controller,
      abortGraceMs: this.#abortGraceMs,
      progress: (value) => this.#session.progress(lease, value),
      log: this.#log.child({
        task: task.name,
        type: task.type,
        attempt: lease.attempt,
        trace_id: traceparent.split('-')[1],
      }),
    })
    if (outcome) this.#session.report(outcome)
    this.#options.onAttempt?.({ type: task.type, end, ms: performance.now() - startedAt })
  }

  #abort(lease: Lease, reason: AbortReason): void {
    this.#running.get(key(lease))?.controller.abort(new AttemptAbortedError(reason))
  }

  #abortAll(reason: AbortReason): void {
    for (const { controller } of this.#running.values()) controller.abort(new AttemptAbortedError(reason))
  }
}

function key(lease: Lease): string {
  return `${lease.task}#${lease.attempt}`
}
