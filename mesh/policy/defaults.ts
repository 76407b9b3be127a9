/** What holds where the contracts say nothing. Here and nowhere else. */
import type { BreakerPolicy, RetryableCode, Slo } from './policy.ts'

/** Linkerd's own defaults, so that both layers agree without a word. */
export const defaultBreaker: BreakerPolicy = { consecutiveFailures: 7, minPenaltyMs: 1_000, maxPenaltyMs: 60_000 }

/** Nothing was done: the one status that is safe to repeat after by its own meaning. */
export const defaultRetryCodes: readonly RetryableCode[] = ['UNAVAILABLE']

export const defaultConcurrency = { unary: 1_024, stream: 10_000 }

export const defaultSlo: Slo = { availability: 0.999, latencyMs: 250, latencyObjective: 0.99 }

/** More attempts than this multiply an outage instead of bridging it. */
export const attemptsMax = 3
