/** One unary call through its guard, with all of its attempts. */
import type { ServiceError } from '@grpc/grpc-js'
import { isUnsent, markUnsent } from '@flowforge/grpc/unary/unsent'
import { retryableCodes } from '@flowforge/mesh/policy/policy'
import type { MethodGroup } from './guard.ts'
import { retries } from './metrics.ts'
import type { MethodPolicy } from './policy.ts'
import type { RetryBudget } from './retry-budget.ts'
import { asServiceError, cancelled, pushbackOf, type StatusError } from './status.ts'
import { isFault } from './upstream-fault.ts'
import type { RetryOwner } from './workload.ts'

/** How an attempt or a call ended: with an error, or with its answer. */
export type Ended<Answer> = (error: ServiceError | null, answer?: Answer) => void

/** Sends one attempt, and calls `end` once, later. */
export type Send<Answer> = (end: Ended<Answer>) => Cancellable

export interface Cancellable {
  cancel(): void
}

/** What the guard of one RPC is made of. */
export interface GuardedRpc {
  path: string
  policy: MethodPolicy
  group: MethodGroup
  budget: RetryBudget
  retryOwner: RetryOwner
}

const backoffMs = { first: 50, max: 1_000 }
/** Longer than most timeouts, much shorter than a long poll. */
const probeMsMax = 5_000
/** A service that is started again is back within two seconds; without a connection a call waits this long at most. */
const unsentMsMax = 3_000

export class GuardedCall<Answer> implements Cancellable {
  readonly #rpc: GuardedRpc
  readonly #call: { deadline: number; isRepeatable: boolean }
  readonly #send: Send<Answer>
  readonly #end: Ended<Answer>
  readonly #startedMs = Date.now()
  #leave: (() => void) | undefined
  #attempt: Cancellable | undefined
  #sent = 0
  #pauses = 0
  #timer: NodeJS.Timeout | undefined
  #isCancelled = false

  constructor(
    rpc: GuardedRpc,
    call: { deadline: number; isRepeatable: boolean },
    send: Send<Answer>,
    end: Ended<Answer>,
  ) {
    this.#rpc = rpc
    this.#call = call
    this.#send = send
    this.#end = end
  }

  start(): this {
    const { group, budget } = this.#rpc
    if (this.#call.deadline <= this.#startedMs) return this.#refuse(group.refuse('NO_TIME_LEFT'))
    this.#leave = group.enter()
    if (!this.#leave) return this.#refuse(group.refuse('BULKHEAD_FULL'))
    budget.deposit()
    this.#try()
    return this
  }

  cancel(): void {
    if (this.#isCancelled) return
    this.#isCancelled = true
    if (this.#timer === undefined) return this.#attempt?.cancel()
    clearTimeout(this.#timer)
    this.#finish(asServiceError(cancelled()))
  }

  #try(): void {
    this.#timer = undefined
    const { breaker } = this.#rpc.group
    if (breaker.isClosed) {
      this.#attempt = this.#send((error, answer) => {
        if (error && this.#isFault(error)) breaker.failed(error)
        else breaker.succeeded()
        this.#ended(error, answer)
      })
      return
    }
    const isProbe = breaker.probe(probeMsMax, (settle) => {
      this.#attempt = this.#send((error, answer) => {
        settle(error && this.#isFault(error) ? error : undefined)
        this.#ended(error, answer)
      })
    })
    // Nothing was sent, so waiting for the breaker costs the upstream nothing.
    if (!isProbe)
      process.nextTick(() => this.#ended(markUnsent(asServiceError(this.#rpc.group.refuse('BREAKER_OPEN')))))
  }

  #ended(error: ServiceError | null, answer?: Answer): void {
    if (error === null || !isUnsent(error)) this.#sent += 1
    if (error === null || this.#isCancelled || !this.#mayRepeat(error)) return this.#finish(error, answer)
    const pauseMs = pushbackOf(error) ?? this.#backoff()
    const startsMs = Date.now() + pauseMs
    if (startsMs >= this.#call.deadline || (isUnsent(error) && startsMs - this.#startedMs > unsentMsMax)) {
      return this.#finish(error)
    }
    if (!isUnsent(error) && !this.#rpc.budget.withdraw()) return this.#finish(error)
    retries.inc({ method: this.#rpc.path.slice(1), sent: String(!isUnsent(error)) })
    this.#timer = setTimeout(() => this.#try(), pauseMs)
  }

  #mayRepeat(error: ServiceError): boolean {
    const { retry } = this.#rpc.policy
    if (isUnsent(error)) return this.#rpc.retryOwner === 'process'
    if (!retry || this.#sent >= retry.attempts || !isRetryable(retry.codes, error.code)) return false
    // A proxy cannot see a request ID, so these are the process's whoever owns the others.
    if (retry.safeBy === 'request_id') return this.#call.isRepeatable
    return this.#rpc.retryOwner === 'process'
  }

  /** Full jitter: anywhere between at once and twice as long as before. */
  #backoff(): number {
    return Math.random() * Math.min(backoffMs.max, backoffMs.first * 2 ** this.#pauses++)
  }

  #isFault(error: ServiceError): boolean {
    const timeoutMs = this.#rpc.policy.timeoutMs ?? Infinity
    return isFault(error, this.#call.deadline - this.#startedMs >= 0.9 * timeoutMs)
  }

  #refuse(error: StatusError): this {
    process.nextTick(() => this.#finish(asServiceError(error)))
    return this
  }

  #finish(error: ServiceError | null, answer?: Answer): void {
    this.#leave?.()
    this.#end(error, answer)
  }
}

function isRetryable(codes: readonly (keyof typeof retryableCodes)[], code: number): boolean {
  return codes.some((name) => retryableCodes[name] === code)
}
