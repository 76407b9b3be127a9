/** A breaker and a bulkhead per host, so that one bad host takes neither all the worker's attempts nor its time. */
import { AttemptAbortedError, PermanentError, SnoozeError } from '@flowforge/sdk'
import {
  BrokenCircuitError,
  bulkhead,
  BulkheadRejectedError,
  circuitBreaker,
  handleWhen,
  SamplingBreaker,
  wrap,
  type IPolicy,
} from 'cockatiel'

export interface HostGuardsOptions {
  /** Requests at a time to one host; as many again wait for their turn. */
  requestsPerHost: number
  /** How many hosts are remembered; the one unused for longest is forgotten first. */
  hostsMax?: number
  /** How long a breaker stays open before it lets a request try. */
  openMs?: number
}

interface HostGuard {
  policy: IPolicy
  openedAt: number
}

const failureShare = 0.5
const sampleMs = 10_000
const busyMs = 1_000

export class HostGuards {
  readonly #options: Required<HostGuardsOptions>
  readonly #hosts = new Map<string, HostGuard>()

  constructor({ requestsPerHost, hostsMax = 1_000, openMs = 10_000 }: HostGuardsOptions) {
    this.#options = { requestsPerHost, hostsMax, openMs }
  }

  /**
   * Runs a request to a host, if the host's state allows it.
   *
   * With the breaker open, or the host's turns and waiting places taken, throws a SnoozeError: nothing was tried,
   * so the attempt must not count. Half of at least ten requests failing, or answered with 5xx, within 10 s opens
   * the breaker.
   */
  async run<T extends { status: number }>(host: string, request: () => Promise<T>): Promise<T> {
    const guard = this.#guardOf(host)
    try {
      return await guard.policy.execute(request)
    } catch (error) {
      if (error instanceof BrokenCircuitError) throw snooze(this.#leftOpenMs(guard), `the breaker of ${host} is open`)
      if (error instanceof BulkheadRejectedError) throw snooze(busyMs, `too many requests to ${host} are under way`)
      throw error
    }
  }

  #guardOf(host: string): HostGuard {
    const guard = this.#hosts.get(host) ?? this.#createGuard()
    // Deleted and set again, a Map's order is the order of use.
    this.#hosts.delete(host)
    this.#hosts.set(host, guard)
    for (const oldest of this.#hosts.keys()) {
      if (this.#hosts.size <= this.#options.hostsMax) break
      this.#hosts.delete(oldest)
    }
    return guard
  }

  #createGuard(): HostGuard {
    const { requestsPerHost, openMs } = this.#options
    const breaker = circuitBreaker(handleWhen(isHostFailure).orWhenResult(isServerError), {
      halfOpenAfter: openMs,
      breaker: new SamplingBreaker({ threshold: failureShare, duration: sampleMs, minimumRps: 1 }),
    })
    const guard: HostGuard = { policy: wrap(bulkhead(requestsPerHost, requestsPerHost), breaker), openedAt: 0 }
    breaker.onBreak(() => (guard.openedAt = performance.now()))
    return guard
  }

  #leftOpenMs({ openedAt }: HostGuard): number {
    return Math.max(0, openedAt + this.#options.openMs - performance.now())
  }
}

/** What the task or its owner caused says nothing about the host. */
function isHostFailure(error: unknown): boolean {
  return !(error instanceof PermanentError || error instanceof AttemptAbortedError || error instanceof SnoozeError)
}

function isServerError(answer: unknown): boolean {
  return (answer as { status: number }).status >= 500
}

/** Spread over half as much again, so that snoozed tasks do not come back in one moment. */
function snooze(afterMs: number, message: string): SnoozeError {
  return new SnoozeError(Math.ceil(Math.max(100, afterMs) * (1 + Math.random() / 2)), message)
}
