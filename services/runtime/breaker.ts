/**
 * One breaker of an upstream's method group: closed ──failures in a row──► open ──pause──► half-open ──► closed or open.
 *
 * The states are cockatiel's. While it is closed a call pays two property reads and a counter: only failures and probes
 * go through cockatiel's `execute`, whose promises and events would cost as much as half a call.
 */
import { CircuitState, ConsecutiveBreaker, DelegateBackoff, circuitBreaker, handleAll } from 'cockatiel'
import type { BreakerPolicy } from '@flowforge/mesh/policy/policy'

export type BreakerState = 'closed' | 'open' | 'half-open'

/** Linkerd's ratio: callers that gave up together do not come back together. */
const jitterRatio = 0.5

const stateNames: Record<CircuitState, BreakerState> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  // Held open by hand, which nobody does.
  [CircuitState.Isolated]: 'open',
}

export class Breaker {
  readonly #inARow: ConsecutiveBreaker
  readonly #circuit

  /** `onChange` hears of every change, after it. */
  constructor(policy: BreakerPolicy, onChange: (state: BreakerState) => void) {
    this.#inARow = new ConsecutiveBreaker(policy.consecutiveFailures)
    const pause = new DelegateBackoff(({ attempt }: { attempt: number }) => {
      const ms = Math.min(policy.maxPenaltyMs, policy.minPenaltyMs * 2 ** (attempt - 1))
      return ms * (1 + jitterRatio * Math.random())
    })
    this.#circuit = circuitBreaker(handleAll, { breaker: this.#inARow, halfOpenAfter: pause })
    this.#circuit.onStateChange((state) => onChange(stateNames[state]))
  }

  /** Calls may pass; `succeeded` or `failed` is to follow each. */
  get isClosed(): boolean {
    return this.#circuit.state === CircuitState.Closed
  }

  succeeded(): void {
    this.#inARow.success()
  }

  failed(error: Error): void {
    // What began while it was closed and fails later says nothing new.
    if (this.isClosed) settleQuietly(this.#circuit.execute(() => Promise.reject(error)))
  }

  /**
   * While it is not closed: runs one call as a probe once the pause is over, and answers whether it did. The call says by
   * `settle` how it went; one that has not failed after `livesMs` has come about, since others wait for the verdict.
   */
  probe(livesMs: number, run: (settle: (failure?: Error) => void) => void): boolean {
    // Cockatiel would let the others wait for the probe, without a bound.
    if (this.#circuit.state === CircuitState.HalfOpen) return false
    let hasRun = false
    settleQuietly(
      this.#circuit.execute(() => {
        hasRun = true
        return new Promise<void>((resolve, reject) => {
          const timer = setTimeout(resolve, livesMs)
          run((failure) => {
            clearTimeout(timer)
            if (failure) reject(failure)
            else resolve()
          })
        })
      }),
    )
    return hasRun
  }
}

/** The outcome has gone to whoever made the call; the breaker has counted it. */
function settleQuietly(promise: Promise<unknown>): void {
  promise.catch(() => undefined)
}
