import type { ServerResponse } from 'node:http'
import { status } from '@grpc/grpc-js'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { refusal } from './refusal.ts'

/** Counts a principal's request, tells what is left in the answer's headers, and refuses it beyond the limit. */
export type Limit = (principal: string, response: ServerResponse) => Promise<void>

/** At most `perMinute` requests of each principal in a minute, counted in this process. */
export function rateLimit(perMinute: number): Limit {
  const limiter = new RateLimiterMemory({ points: perMinute, duration: 60 })
  return async (principal, response) => {
    try {
      const state = await limiter.consume(principal)
      tell(response, perMinute, state)
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error
      tell(response, perMinute, error)
      const seconds = secondsLeft(error)
      throw refusal(status.RESOURCE_EXHAUSTED, 'RATE_LIMITED', `more than ${perMinute} requests in a minute`, {
        details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${seconds}s` }],
      })
    }
  }
}

function tell(response: ServerResponse, perMinute: number, state: RateLimiterRes): void {
  response.setHeader('ratelimit-limit', perMinute)
  response.setHeader('ratelimit-remaining', Math.max(0, state.remainingPoints))
  response.setHeader('ratelimit-reset', secondsLeft(state))
}

function secondsLeft(state: RateLimiterRes): number {
  return Math.max(1, Math.ceil(state.msBeforeNext / 1_000))
}
