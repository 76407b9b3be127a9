/**
 * Linkerd's local rate limit, in process: a generic cell rate algorithm that lets a burst of one second's worth through.
 *
 * Times are whole nanoseconds, as in Linkerd's proxy, so that both refuse the very same call.
 */

import type { RatePolicy } from '@flowforge/mesh/policy/policy'

/** A call over the limit: whose it was, and when there is room again. */
export interface Excess {
  scope: 'total' | 'identity'
  waitMs: number
}

/** The limits of one RPC or one port at one instance. */
export interface RateLimit {
  /**
   * Charges a call; undefined when there is room. The total is charged first and by refused calls of an identity too, as
   * in Linkerd. `identity` must come from a bounded set: authorization goes before.
   */
  take(identity: string, nowMs: number): Excess | undefined
}

/** Limits at `rate`, beginning with a whole burst. */
export function rateLimit({ requestsPerSecond, perIdentity }: RatePolicy): RateLimit {
  const total = meter(requestsPerSecond)
  const byIdentity = new Map<string, Meter>()
  return {
    take(identity, nowMs) {
      const now = Math.round(nowMs * 1e6)
      const late = total(now)
      if (late > 0) return { scope: 'total', waitMs: late / 1e6 }
      if (!perIdentity) return undefined
      let own = byIdentity.get(identity)
      if (!own) byIdentity.set(identity, (own = meter(perIdentity)))
      const ownLate = own(now)
      return ownLate > 0 ? { scope: 'identity', waitMs: ownLate / 1e6 } : undefined
    },
  }
}

/** Charges one call at an instant; answers how much too early it is, 0 when it is not. */
type Meter = (now: number) => number

function meter(perSecond: number): Meter {
  const period = Math.floor(1e9 / perSecond)
  const burst = period * perSecond
  // When the next call would be due if calls came evenly.
  let due: number | undefined
  return (now) => {
    due ??= now + period
    const earliest = due - burst
    if (now < earliest) return earliest - now
    due = Math.max(due, now) + period
    return 0
  }
}
