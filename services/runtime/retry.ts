/** Retries of idempotent calls: in a process without a mesh this is the only layer that repeats anything. */
import { ExponentialBackoff, handleWhen, retry } from 'cockatiel'
import { status } from '@grpc/grpc-js'
import type { CallSettings } from './client-call.ts'
import type { Logger } from './log.ts'
import { StatusError } from './status.ts'

const attemptsMax = 3

/** A channel's retries are paid from a budget, so that an outage is not answered with a storm. */
const budgetMax = 20
const budgetPerSuccess = 0.1

/** Calls once, and again while it answers UNAVAILABLE, within the deadline of the first attempt. */
export type Retry = <T>(call: (settings: CallSettings) => Promise<T>, settings: CallSettings) => Promise<T>

/**
 * The retries of one channel: at most two after the first attempt, with growing, jittered pauses.
 *
 * A call that succeeds at once never enters cockatiel, whose wrapping costs as much as the call itself.
 */
export function retryUnavailable(log: Logger): Retry {
  let budget = budgetMax
  const policy = retry(handleWhen(isUnavailable), {
    maxAttempts: attemptsMax - 1,
    backoff: new ExponentialBackoff({ initialDelay: 50, maxDelay: 1_000 }),
  })
  policy.onRetry(({ attempt, delay }) => log.debug({ attempt, delayMs: delay }, 'calling again'))

  return async (call, settings) => {
    const startedMs = Date.now()
    try {
      const response = await call(settings)
      budget = Math.min(budgetMax, budget + budgetPerSuccess)
      return response
    } catch (error) {
      if (!isUnavailable(error) || budget < 1) throw error
      budget -= 1
      let first: unknown = error
      // The first attempt is the one that failed above: cockatiel waits after it like after any other.
      return await policy.execute(() => {
        if (first !== undefined) {
          const thrown = first
          first = undefined
          throw thrown
        }
        return call(remaining(settings, startedMs))
      }, settings.signal)
    }
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof StatusError && error.code === status.UNAVAILABLE
}

function remaining(settings: CallSettings, startedMs: number): CallSettings {
  if (settings.deadlineMs === undefined) return settings
  return { ...settings, deadlineMs: Math.max(1, settings.deadlineMs - (Date.now() - startedMs)) }
}
