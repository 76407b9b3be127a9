/**
 * What stands between a caller in this process and an upstream, for every call in this order:
 *
 *     time left? → bulkhead → breaker → attempt ──failed──► pause → breaker → attempt …
 *
 * Exactly one layer makes failed calls again. Where that is the mesh, an attempt here is the only one.
 */
import { bulkhead, type BulkheadPolicy } from 'cockatiel'
import { status, type ServiceError } from '@grpc/grpc-js'
import { Breaker } from './breaker.ts'
import { GuardedCall, type Cancellable, type Ended, type GuardedRpc, type Send } from './guarded-call.ts'
import type { Logger } from './log.ts'
import { breakerStates, clientRefusals, observeCallsInFlight } from './metrics.ts'
import type { MethodPolicy } from './policy.ts'
import { RetryBudget } from './retry-budget.ts'
import { StatusError, unavailable } from './status.ts'
import { isFault } from './upstream-fault.ts'
import type { RetryOwner } from './workload.ts'

/** RPCs of one upstream that share a bulkhead and a breaker. */
export interface MethodGroup {
  readonly breaker: Breaker
  /** Takes a place for a call until the answer is called; undefined when all are taken. */
  enter(): (() => void) | undefined
  /** Counts a call that is refused before it is sent. */
  refuse(reason: RefusedLocally): StatusError
}

export type RefusedLocally = 'BREAKER_OPEN' | 'BULKHEAD_FULL' | 'NO_TIME_LEFT'

/** One RPC of an upstream, guarded. */
export interface GuardedMethod {
  /**
   * Makes a unary call: `send` once, and again where the policy and the owner of retries allow. `end` is called once, not
   * before this returns.
   */
  call<Answer>(call: { deadline: number; isRepeatable: boolean }, send: Send<Answer>, end: Ended<Answer>): Cancellable
  /** Lets a stream begin, or throws a StatusError; the answer is to be called with the error that it ends with, or null. */
  beginStream(): (error: ServiceError | null) => void
}

/** A stream may live for hours; one that has not failed after so long has come about. */
const streamLivesMs = 1_000

/** The guards of one upstream's RPCs, by path. */
export type Guard = (path: string) => GuardedMethod

export interface GuardOptions {
  /** The component that is called. */
  upstream: string
  policies: Map<string, MethodPolicy>
  retryOwner: RetryOwner
  log: Logger
}

/** Prepares the guards of one upstream; each is made when it is first asked for. */
export function guardUpstream(options: GuardOptions): Guard {
  const { policies, retryOwner } = options
  const groups = new Map<string, MethodGroup>()
  const methods = new Map<string, GuardedMethod>()
  const budget = new RetryBudget()
  return (path) => {
    let method = methods.get(path)
    if (method) return method
    const policy = policies.get(path)
    if (!policy) throw new Error(`${path} has no policy`)
    let group = groups.get(policy.group)
    if (!group) groups.set(policy.group, (group = methodGroup(policy, options)))
    methods.set(path, (method = guardedMethod({ path, policy, group, budget, retryOwner })))
    return method
  }
}

function guardedMethod(method: GuardedRpc): GuardedMethod {
  const { group } = method
  return {
    call: (call, send, end) => new GuardedCall(method, call, send, end).start(),
    beginStream() {
      const leave = group.enter()
      if (!leave) throw group.refuse('BULKHEAD_FULL')
      const report = beginReport(group.breaker)
      if (!report) {
        leave()
        throw group.refuse('BREAKER_OPEN')
      }
      return (error) => {
        leave()
        report(error && isFault(error, false) ? error : undefined)
      }
    },
  }
}

/** Lets a stream begin and answers how to tell the breaker of its end; undefined when the breaker is open. */
function beginReport(breaker: Breaker): ((failure: ServiceError | undefined) => void) | undefined {
  if (breaker.isClosed) return (failure) => (failure ? breaker.failed(failure) : breaker.succeeded())
  let settle: ((failure?: Error) => void) | undefined
  const isProbe = breaker.probe(streamLivesMs, (told) => (settle = told))
  return isProbe ? (failure) => settle?.(failure) : undefined
}

function methodGroup(
  { group, concurrency, breaker: policy }: MethodPolicy,
  { upstream, log }: GuardOptions,
): MethodGroup {
  const labels = { upstream, group }
  const places = bulkhead(concurrency, 0)
  const state = breakerStates.labels(labels)
  state.set(0)
  observeCallsInFlight(labels, () => concurrency - places.executionSlots)
  const breaker = new Breaker(policy, (to) => {
    state.set(to === 'closed' ? 0 : to === 'half-open' ? 1 : 2)
    log[to === 'open' ? 'warn' : 'info']({ upstream, group, state: to }, 'a breaker changed its state')
  })
  return {
    breaker,
    enter: () => takePlace(places),
    refuse(reason) {
      clientRefusals.inc({ ...labels, reason })
      return refusals[reason](upstream)
    },
  }
}

function takePlace(places: BulkheadPolicy): (() => void) | undefined {
  if (places.executionSlots === 0) return undefined
  let leave: (() => void) | undefined
  void places.execute(() => new Promise<void>((resolve) => (leave = resolve)))
  return leave
}

const refusals: Record<RefusedLocally, (upstream: string) => StatusError> = {
  BREAKER_OPEN: (upstream) =>
    unavailable('BREAKER_OPEN', `${upstream} has failed too often; it is left alone for a moment`),
  BULKHEAD_FULL: (upstream) => unavailable('BULKHEAD_FULL', `too many calls to ${upstream} are under way`),
  NO_TIME_LEFT: (upstream) =>
    new StatusError(status.DEADLINE_EXCEEDED, 'NO_TIME_LEFT', `no time is left to call ${upstream}`),
}
