/** One worker's stream: what it sends is handled here, and what others have to tell the worker is sent from here. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type {
  Outcome,
  WorkRequest,
  WorkRequest_Hello,
  WorkResponse,
  WorkResponse_Acknowledgement,
} from '@flowforge/proto/opaque/flowforge/tasks/v1/worker_service.ts'
import { NumberedMap } from '@flowforge/grpc/numbered-map'
import type { BidiCall, CallContext } from '@flowforge/runtime/server'
import { invalidArgument, toRpcStatus, type StatusError } from '@flowforge/runtime/status'
import type { Success } from '../engine/complete.ts'
import type { Taker } from '../engine/dispatcher.ts'
import type { LeaseKey } from '../engine/fence.ts'
import type { LeasedRow } from '../engine/lease.ts'
import type { Session } from '../engine/sessions.ts'
import { isOversized, recordSuccess, successOf } from './complete-task.ts'
import {
  failureEnding,
  leasedBytes,
  leasedTaskMessage,
  leaseKeyOf,
  leaseMessage,
  releaseEnding,
} from './lease-message.ts'
import { recordProgress } from './report-progress.ts'
import type { Tasks } from './tasks.ts'

/** Leases go in messages of about this size; clients refuse messages over 4 MiB unless told otherwise. */
const messageBytesMax = 2 ** 20
/** Most successes that are recorded together. */
const successesMax = 1_000
const accepted = { code: 0, message: '', details: [] }

export interface WorkStreamOptions {
  tasks: Tasks
  call: BidiCall<WorkRequest, WorkResponse>
  context: CallContext
  hello: WorkRequest_Hello
  session: Session
  /** A worker that was not heard of for this long gets no more leases until it is. */
  silenceMsMax: number
  /** The leases that the worker brought along. */
  held: LeaseKey[]
  /** Called when nobody knows whether the session holds more than the worker was told of. */
  onDoubt: (stream: WorkStream) => void
}

interface HeldLease {
  isReported: boolean
  /** The worker was told that the attempt should stop. */
  isToldToStop: boolean
}

export class WorkStream {
  readonly session: Session
  readonly taker: Taker
  /** Rejects when something other than the worker ends the stream. */
  readonly interrupted: Promise<never>
  /** When the worker was last heard of, by performance.now(). */
  heardMs = performance.now()
  /** True once the worker has closed its side and everything is answered. */
  isClosedByWorker = false
  /** True once the worker has said that it takes nothing more, and leaves when it has finished. */
  isDraining = false
  readonly #interrupt: (error: StatusError) => void
  readonly #tasks: Tasks
  readonly #call: BidiCall<WorkRequest, WorkResponse>
  readonly #context: CallContext
  readonly #held = new NumberedMap<HeldLease>()
  /** Messages whose effect is not durable yet. */
  #pending = 0
  #onSettled: () => void = () => undefined
  /** Leases whose outcome is on its way to the database: their worker runs them no longer. */
  #reported = 0
  readonly #silenceMsMax: number
  #capacity: number
  readonly #acknowledgements: WorkResponse_Acknowledgement[] = []
  #isFull = false

  constructor({ tasks, call, context, hello, session, silenceMsMax, held, onDoubt }: WorkStreamOptions) {
    this.#tasks = tasks
    this.#call = call
    this.#context = context
    this.session = session
    this.#silenceMsMax = silenceMsMax
    this.#capacity = hello.capacity
    for (const lease of held) this.#hold(lease)
    const { promise, reject } = Promise.withResolvers<never>()
    promise.catch(() => undefined)
    this.interrupted = promise
    this.#interrupt = reject
    this.taker = {
      sessionId: session.id,
      worker: hello.worker,
      project: hello.parent === 'projects/-' ? undefined : hello.parent.slice('projects/'.length),
      queues: new Set(hello.queues),
      types: hello.types.toSorted(),
      room: this.#room(),
      isSilent: () => this.#isSilent(),
      leaseMs: null,
      give: (rows) => void this.#track(this.#give(rows)),
      doubt: () => onDoubt(this),
    }
  }

  /** Handles a message of the worker; what it causes is answered when it is durable. */
  receive({ message }: WorkRequest): void {
    const wasSilent = this.#isSilent()
    this.heardMs = performance.now()
    if (wasSilent) this.#updateRoom()
    switch (message?.$case) {
      case 'heartbeat':
        this.#call.send({ message: { $case: 'heartbeatAck', value: {} } })
        return
      case 'outcomes':
        this.#record(message.value.outcomes)
        // Their places are free, though it takes a moment until all is stored.
        return this.#updateRoom()
      case 'progress':
        void this.#track(this.#progress(leaseKeyOf(message.value.lease, 'progress.lease'), message.value.progress))
        return
      case 'drain':
        this.isDraining = true
        this.#capacity = 0
        return this.#updateRoom()
      default:
        throw invalidArgument({
          field: 'message',
          description: message ? `${message.$case} was not expected here` : 'is required',
        })
    }
  }

  /** The worker has closed its side: resolves when all that it sent is answered. */
  async closedByWorker(): Promise<void> {
    if (this.#pending > 0) await new Promise<void>((resolve) => (this.#onSettled = resolve))
    this.#flush()
    this.isClosedByWorker = true
  }

  /** True while the worker has the lease. */
  holds(lease: LeaseKey): boolean {
    return this.#heldOf(lease) !== undefined
  }

  /** Tells the worker, once, that an attempt should stop. */
  cancel(lease: LeaseKey): void {
    const held = this.#heldOf(lease)
    if (!held || held.isToldToStop) return
    held.isToldToStop = true
    this.#tell({ $case: 'cancel', value: { lease: leaseMessage(lease) } })
  }

  /** Tells the worker that an attempt was given to somebody else. */
  lost(lease: LeaseKey): void {
    this.#tell({ $case: 'lost', value: { lease: leaseMessage(lease) } })
    this.#drop(lease)
    this.#updateRoom()
  }

  /** Tells the worker to move to another instance. */
  goAway(): void {
    this.#capacity = 0
    this.#updateRoom()
    this.#call.send({ message: { $case: 'goAway', value: {} } })
  }

  /** Ends the stream with an error. */
  interrupt(error: StatusError): void {
    this.#interrupt(error)
  }

  /** Successes that came together are recorded together, every other end by itself. */
  #record(outcomes: Outcome[]): void {
    const reported: Outcome[] = []
    const successes: Success[] = []
    for (const outcome of outcomes) {
      const lease = leaseKeyOf(outcome.lease, 'outcome.lease')
      this.#setReported(lease)
      const end = outcome.outcome
      if (end?.$case !== 'success' || isOversized(this.#tasks, end.value.result)) {
        void this.#track(this.#recordAlone(lease, outcome))
        continue
      }
      try {
        successes.push(successOf(this.#tasks, lease, end.value.result))
        reported.push(outcome)
      } catch (error) {
        this.#answer(lease, outcome.lease, error)
      }
    }
    for (let at = 0; at < successes.length; at += successesMax)
      void this.#track(
        this.#recordTogether(successes.slice(at, at + successesMax), reported.slice(at, at + successesMax)),
      )
  }

  async #recordTogether(successes: Success[], reported: Outcome[]): Promise<void> {
    const results = await this.#tasks.engine.completeAll(successes)
    for (const [i, success] of successes.entries()) this.#answer(success, reported[i]!.lease, results[i])
    this.#updateRoom()
  }

  async #recordAlone(lease: LeaseKey, outcome: Outcome): Promise<void> {
    const { engine } = this.#tasks
    try {
      const end = outcome.outcome
      if (end?.$case === 'success') await recordSuccess(this.#tasks, lease, end.value.result)
      else if (end?.$case === 'failure') await engine.settle(failureEnding(lease, end.value, 'outcome.failure'))
      else if (end?.$case === 'release') await engine.settle(releaseEnding(lease, end.value, 'outcome.release'))
      else throw invalidArgument({ field: 'outcome', description: 'success, failure or release is required' })
      this.#answer(lease, outcome.lease, undefined)
    } catch (error) {
      this.#answer(lease, outcome.lease, error)
    }
    this.#updateRoom()
  }

  /** The worker no longer has the lease; it gets it back as it came. */
  #answer(lease: LeaseKey, asItCame: Outcome['lease'], error: unknown): void {
    this.#acknowledge(asItCame, error)
    this.#drop(lease)
  }

  #acknowledge(lease: Outcome['lease'], error: unknown): void {
    const status = error === undefined ? accepted : toRpcStatus(error)
    // What became durable together is told together.
    if (this.#acknowledgements.push({ lease, status }) === 1) setImmediate(() => this.#flush())
  }

  #flush(): void {
    const acknowledgements = this.#acknowledgements.splice(0)
    if (acknowledgements.length > 0)
      this.#call.send({ message: { $case: 'acknowledgements', value: { acknowledgements } } })
  }

  async #progress(lease: LeaseKey, progress: Uint8Array | undefined): Promise<void> {
    try {
      if (await recordProgress(this.#tasks, lease, progress)) this.cancel(lease)
    } catch (error) {
      if ((error as StatusError).reason === 'LEASE_LOST') this.lost(lease)
      // Progress is not acknowledged; what could not be stored comes with the next report.
      else this.#context.log.debug({ err: error }, 'progress was not stored')
    }
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#pending += 1
    try {
      await work
    } catch (error) {
      this.interrupt(error as StatusError)
    }
    this.#pending -= 1
    if (this.#pending === 0) this.#onSettled()
  }

  async #give(rows: LeasedRow[]): Promise<void> {
    for (const row of rows) this.#hold(row)
    // The statement that leases what is next goes out first: the database works while these are encoded.
    await nextTurn()
    // A statement leases from one queue.
    const queue = await this.#tasks.engine.queues.byId(rows[0]!.queue_id)
    let from = 0
    let bytes = 0
    for (let i = 0; i < rows.length; i++) {
      bytes += leasedBytes(rows[i]!)
      if (i + 1 < rows.length && bytes < messageBytesMax) continue
      this.#send(rows.slice(from, i + 1).map((row) => leasedTaskMessage(row, queue.name)))
      from = i + 1
      bytes = 0
    }
  }

  #send(tasks: ReturnType<typeof leasedTaskMessage>[]): void {
    if (this.#call.send({ message: { $case: 'leases', value: { tasks } } }) || this.#isFull) return
    // A worker that does not read gets nothing more until it does.
    this.#isFull = true
    this.#updateRoom()
    void this.#call.drained().then(() => {
      this.#isFull = false
      this.#updateRoom()
    })
  }

  /** A lease of this session is the worker's. */
  #hold({ id, attempt }: Pick<LeaseKey, 'id' | 'attempt'>): void {
    this.#held.add(id, attempt, { isReported: false, isToldToStop: false })
  }

  #heldOf({ id, attempt, sessionId }: LeaseKey): HeldLease | undefined {
    return sessionId === this.session.id ? this.#held.get(id, attempt) : undefined
  }

  /** Says something of a lease, behind the lease itself, which may wait for its turn. */
  #tell(message: WorkResponse['message']): void {
    setImmediate(() => this.#call.send({ message }))
  }

  #setReported(lease: LeaseKey): void {
    const held = this.#heldOf(lease)
    if (!held || held.isReported) return
    held.isReported = true
    this.#reported += 1
  }

  #drop(lease: LeaseKey): void {
    if (lease.sessionId !== this.session.id) return
    if (this.#held.take(lease.id, lease.attempt)?.isReported) this.#reported -= 1
  }

  #isSilent(): boolean {
    return performance.now() - this.heardMs > this.#silenceMsMax
  }

  #room(): number {
    if (this.#isFull) return 0
    const running = this.#held.size - this.#reported
    // What is not stored yet is bounded too: a slow database must not gather outcomes for ever.
    return Math.max(0, Math.min(this.#capacity - running, 2 * this.#capacity - this.#held.size))
  }

  #updateRoom(): void {
    this.taker.room = this.#room()
    if (this.taker.room > 0) this.#tasks.engine.dispatcher.roomChanged()
  }
}
