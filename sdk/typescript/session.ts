/**
 * A worker's session: it outlives the streams that carry it.
 *
 *   stream breaks, or GoAway ──► another stream, hello with session, token and the leases still held
 *   Welcome{resumed}         ──► unacknowledged outcomes are said again; handlers never noticed
 *   Welcome{not resumed}     ──► every lease is lost: handlers are aborted and report nothing
 *
 * An outcome is kept until it is acknowledged, so it is said at least once; the server's fence makes that harmless.
 */
import { status, type ServiceError } from '@grpc/grpc-js'
import type {
  Lease,
  LeasedTask,
  Outcome,
  WorkRequest_Hello,
  WorkResponse,
  WorkResponse_Acknowledgement,
  WorkResponse_Welcome,
} from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { NumberedMap } from '@flowforge/grpc/numbered-map'
import { isTransient, judge } from './acknowledgement.ts'
import type { ConnectionOptions } from './connection.ts'
import { toMs } from './duration.ts'
import { reasonOf } from './errors.ts'
import type { Log } from './log.ts'
import type { JsonObject } from './struct.ts'
import { WorkStream } from './work-stream.ts'

/** What a session tells its worker. */
export interface SessionEvents {
  onLease(leased: LeasedTask, lease: Lease): void
  onCancel(lease: Lease): void
  /** The lease belongs to another worker now, or to none: stop, and report nothing. */
  onLost(lease: Lease): void
  /** The server has answered an outcome: it is durable, or refused because the lease was no longer held. */
  onSettled?(outcome: Outcome, verdict: 'accepted' | 'refused'): void
}

/** Who the worker is and what it takes, as its hello says. */
export type WorkerProfile = Pick<WorkRequest_Hello, 'parent' | 'worker' | 'queues' | 'types' | 'capacity'>

interface HeldLease {
  lease: Lease
  outcome: Outcome | undefined
  progress: JsonObject | undefined
}

const reconnectMs = { first: 100, max: 5_000 }
const resendMs = { min: 200, max: 1_000 }
// A stream that lived this long was no failure to connect, so the backoff starts anew.
const healthyStreamMs = 5_000

export class Session {
  readonly #to: ConnectionOptions
  readonly #profile: WorkerProfile
  readonly #events: SessionEvents
  readonly #log: Log
  readonly #held = new NumberedMap<HeldLease>()
  readonly #opened = Promise.withResolvers<void>()
  #current: WorkStream | undefined
  #opening: WorkStream | undefined
  #welcome: WorkResponse_Welcome | undefined
  #welcomeAt = 0
  #failures = 0
  #reconnectTimer: NodeJS.Timeout | undefined
  #expiryTimer: NodeJS.Timeout | undefined
  #isDraining = false
  #isClosed = false
  #onSettled: (() => void) | undefined
  #onClosed: (() => void) | undefined
  #onOpenedOrNot: (() => void) | undefined

  constructor(to: ConnectionOptions, profile: WorkerProfile, events: SessionEvents, log: Log) {
    this.#to = to
    this.#profile = profile
    this.#events = events
    this.#log = log
  }

  /** Resolves at the first Welcome; waits for a server that is not there yet, and rejects when the hello itself is wrong. */
  open(): Promise<void> {
    this.#connect()
    return this.#opened.promise
  }

  /** True while a stream carries the session. */
  get isConnected(): boolean {
    return this.#current !== undefined
  }

  /** Reports how an attempt ended, now and after each reconnect until the server has acknowledged it. */
  report(outcome: Outcome): void {
    const held = this.#heldOf(outcome.lease)
    if (!held) return // Lost meanwhile: nobody wants to know.
    held.outcome = outcome
    this.#current?.report(outcome)
  }

  /** Reports how far an attempt is; only the latest is said again after a reconnect. */
  progress(lease: Lease, progress: JsonObject): void {
    const held = this.#heldOf(lease)
    if (!held || held.outcome) return
    held.progress = progress
    this.#current?.send({ $case: 'progress', value: { lease, progress } })
  }

  /** Asks for no more leases. */
  drain(): void {
    this.#isDraining = true
    this.#current?.send({ $case: 'drain', value: {} })
  }

  /** Resolves when the server has acknowledged all outcomes, or after `boundMs`. */
  async settled(boundMs: number): Promise<void> {
    if (this.#held.size === 0) return
    await within(boundMs, (resolve) => (this.#onSettled = resolve))
  }

  /** Closes the stream in order, and hard after `boundMs`. Leases still held are left to the server's grace. */
  async close(boundMs: number): Promise<void> {
    // The server may have the session on the stream that is being opened already: there it must hear that the worker leaves.
    if (this.#welcome && this.#opening) await within(boundMs, (resolve) => (this.#onOpenedOrNot = resolve))
    this.#isClosed = true
    clearTimeout(this.#reconnectTimer)
    clearTimeout(this.#expiryTimer)
    this.#opening?.destroy()
    this.#opened.resolve()
    if (!this.#current) return
    this.#current.end()
    await within(boundMs, (resolve) => (this.#onClosed = resolve))
    this.#current?.destroy()
  }

  #connect(): void {
    clearTimeout(this.#reconnectTimer)
    this.#reconnectTimer = undefined
    try {
      const stream: WorkStream = new WorkStream(this.#to, this.#hello(), {
        onWelcome: (welcome) => this.#onWelcome(stream, welcome),
        onMessage: (message) => this.#onMessage(stream, message),
        onClosed: (error) => this.#onStreamClosed(stream, error),
      })
      this.#opening = stream
    } catch (error) {
      // Certificates that can't be read: fatal at the start, and perhaps a renewal in progress later.
      if (!this.#welcome) return this.#opened.reject(error)
      this.#reconnectLater(error)
    }
  }

  #hello(): WorkRequest_Hello {
    return {
      ...this.#profile,
      session: this.#welcome?.session ?? 0n,
      sessionToken: this.#welcome?.sessionToken ?? '',
      leases: this.#held.all().map(({ lease }) => lease),
    }
  }

  #onWelcome(stream: WorkStream, welcome: WorkResponse_Welcome): void {
    const left = this.#current
    const isResumed = welcome.resumed && this.#welcome?.session === welcome.session
    if (this.#welcome && !isResumed) this.#loseAll()
    this.#opening = undefined
    this.#current = stream
    this.#welcome = welcome
    this.#welcomeAt = performance.now()
    clearTimeout(this.#expiryTimer)
    this.#log.info({ session: String(welcome.session), resumed: isResumed }, 'session open')
    this.#sayAgain(stream)
    left?.end()
    this.#opened.resolve()
    this.#onOpenedOrNot?.()
  }

  #sayAgain(stream: WorkStream): void {
    for (const { lease, outcome, progress } of this.#held.all()) {
      if (outcome) stream.report(outcome)
      else if (progress) stream.send({ $case: 'progress', value: { lease, progress } })
    }
    if (this.#isDraining) stream.send({ $case: 'drain', value: {} })
  }

  #onMessage(stream: WorkStream, message: NonNullable<WorkResponse['message']>): void {
    switch (message.$case) {
      case 'leases':
        return message.value.tasks.forEach((leased) => this.#onLease(stream, leased))
      case 'acknowledgements':
        return message.value.acknowledgements.forEach((one) => this.#onAcknowledgement(one))
      case 'cancel':
        if (this.#heldOf(message.value.lease)) this.#events.onCancel(message.value.lease!)
        return
      case 'lost':
        return this.#lose(message.value.lease)
      case 'goAway':
        if (stream === this.#current && !this.#opening && !this.#isClosed) this.#connect()
        return
    }
  }

  #onLease(stream: WorkStream, leased: LeasedTask): void {
    const { lease } = leased
    if (!lease || this.#heldOf(lease)) return
    const release: Outcome = { lease, outcome: { $case: 'release', value: { snooze: undefined, cancelled: false } } }
    // The hello under way does not name this lease, so the server returns it at once: running it here would be a second run.
    if (stream !== this.#current || this.#opening) return stream.report(release)
    this.#held.add(lease.task, lease.attempt, { lease, outcome: undefined, progress: undefined })
    if (this.#isDraining) this.report(release)
    else this.#events.onLease(leased, lease)
  }

  #onAcknowledgement({ lease, status: answer }: WorkResponse_Acknowledgement): void {
    const held = this.#heldOf(lease)
    if (!held?.outcome) return
    const verdict = judge(held.outcome, answer)
    if (verdict.is === 'replaced') return this.report(verdict.outcome)
    if (verdict.is === 'again') return this.#resendLater(held.outcome)
    if (verdict.is === 'refused') {
      const fields = {
        task: held.lease.task,
        attempt: held.lease.attempt,
        code: answer?.code,
        reason: reasonOf(answer),
      }
      this.#log.warn(fields, 'outcome refused')
    }
    this.#events.onSettled?.(held.outcome, verdict.is === 'refused' ? 'refused' : 'accepted')
    this.#release(held.lease)
  }

  #resendLater(outcome: Outcome): void {
    const delayMs = resendMs.min + Math.random() * (resendMs.max - resendMs.min)
    setTimeout(() => {
      if (this.#heldOf(outcome.lease)?.outcome === outcome) this.report(outcome)
    }, delayMs).unref()
  }

  #onStreamClosed(stream: WorkStream, error: Error | undefined): void {
    if (stream === this.#opening) {
      this.#opening = undefined
      this.#onHelloRefused(error)
      this.#onOpenedOrNot?.()
    } else if (stream === this.#current) {
      this.#current = undefined
      this.#onClosed?.()
      if (performance.now() - this.#welcomeAt > healthyStreamMs) this.#failures = 0
      this.#expireLater()
    } else {
      return // A stream that was left on purpose.
    }
    if (!this.#opening) this.#reconnectLater(error)
  }

  #onHelloRefused(error: Error | undefined): void {
    const code = (error as ServiceError | undefined)?.code
    if (code === undefined || isTransient(code)) return
    if (this.#welcome) {
      // This session can't be resumed: the next hello asks for a new one.
      this.#loseAll()
      this.#welcome = undefined
    } else if (code === status.INVALID_ARGUMENT || code === status.UNIMPLEMENTED) {
      this.#isClosed = true
      this.#opened.reject(error)
    }
  }

  #reconnectLater(error: unknown): void {
    if (this.#isClosed || this.#reconnectTimer) return
    // Full jitter: workers that lost the same server come back spread out.
    const delayMs = Math.random() * Math.min(reconnectMs.max, reconnectMs.first * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 10)
    this.#log.warn({ err: error, delayMs: Math.round(delayMs) }, 'no stream to the server, reconnecting')
    this.#reconnectTimer = setTimeout(() => this.#connect(), delayMs)
  }

  /** Without a stream the server gives the leases away after the session's timeout: do not run beside the next owner. */
  #expireLater(): void {
    const timeout = this.#welcome?.sessionTimeout
    if (this.#isClosed || !timeout) return
    this.#expiryTimer = setTimeout(() => {
      for (const { lease, outcome } of this.#held.all()) if (!outcome) this.#lose(lease)
    }, toMs(timeout))
  }

  #loseAll(): void {
    for (const { lease } of this.#held.all()) this.#lose(lease)
  }

  #lose(lease: Lease | undefined): void {
    const held = this.#heldOf(lease)
    if (!held) return
    // With an outcome under way it may have been recorded on the stream that broke, and only its answer was lost.
    const message = held.outcome ? 'lease ended before the outcome was acknowledged' : 'lease lost'
    this.#log.warn({ task: held.lease.task, attempt: held.lease.attempt }, message)
    this.#release(held.lease)
    this.#events.onLost(held.lease)
  }

  #heldOf(lease: Lease | undefined): HeldLease | undefined {
    return lease && this.#held.get(lease.task, lease.attempt)
  }

  #release(lease: Lease): void {
    this.#held.take(lease.task, lease.attempt)
    if (this.#held.size === 0) this.#onSettled?.()
  }
}

async function within(boundMs: number, subscribe: (resolve: () => void) => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await new Promise<void>((resolve) => {
    timer = setTimeout(resolve, boundMs)
    subscribe(resolve)
  })
  clearTimeout(timer)
}
