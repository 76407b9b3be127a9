/** Linkerd's local rate limit: governor's generic cell rate algorithm, per proxy. Times are whole nanoseconds. */
import type { RateLimitSpec } from './objects.ts'

/** The state of one HTTPLocalRateLimitPolicy at one proxy. */
export class RateModel {
  readonly #spec: RateLimitSpec
  readonly #identityOf: (ref: { name: string; namespace?: string }) => string
  readonly #backlogs = new Map<string, Backlog>()

  /** @param identityOf The identity of a ServiceAccount that an override names. */
  constructor(spec: RateLimitSpec, identityOf: (ref: { name: string; namespace?: string }) => string) {
    this.#spec = spec
    this.#identityOf = identityOf
  }

  /** Whether a call passes. The total is charged first, even for a call that its identity's limit then refuses. */
  admits(identity: string | undefined, nowNs: number): boolean {
    const { total, identity: each, overrides = [] } = this.#spec
    if (total && !this.#charge('total', total.requestsPerSecond, nowNs)) return false
    const index = overrides.findIndex(({ clientRefs }) => clientRefs.some((ref) => this.#identityOf(ref) === identity))
    const own = overrides[index]
    if (own) return this.#charge(`override ${index}`, own.requestsPerSecond, nowNs)
    // Callers without an identity share one key.
    return !each || this.#charge(`identity ${identity ?? ''}`, each.requestsPerSecond, nowNs)
  }

  #charge(key: string, perSecond: number, nowNs: number): boolean {
    const cell = Math.floor(1e9 / perSecond)
    const known = this.#backlogs.get(key)
    // A new key begins with one cell of backlog.
    const backlog = known ? known.ns - (nowNs - known.atNs) : cell
    if (backlog > cell * perSecond) {
      this.#backlogs.set(key, { ns: backlog, atNs: nowNs })
      return false
    }
    this.#backlogs.set(key, { ns: Math.max(backlog, 0) + cell, atNs: nowNs })
    return true
  }
}

/** Work not yet drained, at an instant; negative after a pause. */
interface Backlog {
  ns: number
  atNs: number
}
