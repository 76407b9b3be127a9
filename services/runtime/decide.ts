/**
 * The verdict on a call, in Linkerd's order and with its codes:
 *
 *     route (NOT_FOUND) → authorization (PERMISSION_DENIED) → rate (RESOURCE_EXHAUSTED)
 *
 * It is one pure function, so that the proof of equality with the compiled mesh resources asks what the server asks.
 */
import { status } from '@grpc/grpc-js'
import type { Component } from './policy.ts'
import type { RateLimit } from './rate-limit.ts'

/** What is decided about one RPC. */
export interface Rule {
  callers: ReadonlySet<Component>
  /** Of the port, then of the RPC; a call is charged in this order until one refuses. */
  rates: readonly RateLimit[]
}

/** Who calls. A stranger may have an identity, but is no component of this installation. */
export interface Caller {
  identity: string | undefined
  component: Component | undefined
}

/** Why a call is refused. */
export interface Refusal {
  code: number
  reason: 'UNKNOWN_METHOD' | 'UNKNOWN_IDENTITY' | 'CALLER_NOT_ALLOWED' | 'RATE_LIMITED'
  /** When a limited call may be tried again, in ms. */
  retryAfterMs?: number
}

const unknownMethod: Refusal = { code: status.NOT_FOUND, reason: 'UNKNOWN_METHOD' }
const unknownIdentity: Refusal = { code: status.PERMISSION_DENIED, reason: 'UNKNOWN_IDENTITY' }
const callerNotAllowed: Refusal = { code: status.PERMISSION_DENIED, reason: 'CALLER_NOT_ALLOWED' }

/**
 * Decides about one call of the RPC that has this rule; undefined lets it pass. Charges the rates of the rule, and
 * nothing else changes. `nowMs` comes from a clock that never goes back.
 */
export function decide(rule: Rule | undefined, caller: Caller, nowMs: number): Refusal | undefined {
  if (rule === undefined) return unknownMethod
  if (caller.component === undefined) return unknownIdentity
  if (!rule.callers.has(caller.component)) return callerNotAllowed
  for (const rate of rule.rates) {
    const excess = rate.take(caller.identity ?? '', nowMs)
    if (excess) return { code: status.RESOURCE_EXHAUSTED, reason: 'RATE_LIMITED', retryAfterMs: excess.waitMs }
  }
  return undefined
}
