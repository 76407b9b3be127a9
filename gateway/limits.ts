/** How many requests each principal and each address may make in a minute. */
import type { ServerResponse } from 'node:http'
import { status } from '@grpc/grpc-js'
import type { Redis } from './redis.ts'
import { refusal } from './refusal.ts'
import { SlidingWindow, type Counted } from './sliding-window.ts'

export interface Limits {
  /** Counts a principal's request and tells what is left in the answer's headers; throws 429 beyond the limit. */
  ofPrincipal(principal: string, response: ServerResponse): void | Promise<void>
  /** Counts a request of an address, whoever makes it; throws 429 beyond the limit. */
  ofAddress(address: string, response: ServerResponse): void | Promise<void>
}

/** How many requests in a minute; an address is not limited if that is undefined. */
export interface PerMinute {
  readonly principal: number
  readonly address: number | undefined
}

/** Limits counted in this process at once, or by all gateways together where there is a Redis. */
export function limits(perMinute: PerMinute, redis: Redis | undefined): Limits {
  const principals = new SlidingWindow('principal', perMinute.principal, redis)
  const ofAddress = perMinute.address
  const addresses = ofAddress === undefined ? undefined : new SlidingWindow('address', ofAddress, redis)
  return {
    ofPrincipal(principal, response) {
      return afterCounting(principals.count(principal), (counted) => {
        tell(response, 'principal', perMinute.principal, counted)
        if (!counted.isWithin) throw tooMany(`more than ${perMinute.principal} requests in a minute`, counted)
      })
    },
    ofAddress(address, response) {
      if (addresses === undefined) return
      return afterCounting(addresses.count(address), (counted) => {
        if (counted.isWithin) return
        tell(response, 'address', ofAddress!, counted)
        throw tooMany(`more than ${ofAddress} requests in a minute from this address`, counted)
      })
    },
  }
}

function afterCounting(counted: Counted | Promise<Counted>, judge: (counted: Counted) => void): void | Promise<void> {
  return counted instanceof Promise ? counted.then(judge) : judge(counted)
}

/** `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-10, and the three headers of its drafts up to 06. */
function tell(response: ServerResponse, policy: string, perMinute: number, { remaining, waitMs }: Counted): void {
  const seconds = Math.ceil(waitMs / 1_000)
  response.setHeader('ratelimit-policy', `"${policy}";q=${perMinute};w=60`)
  response.setHeader('ratelimit', `"${policy}";r=${remaining};t=${seconds}`)
  response.setHeader('ratelimit-limit', perMinute)
  response.setHeader('ratelimit-remaining', remaining)
  response.setHeader('ratelimit-reset', seconds)
}

function tooMany(message: string, { waitMs }: Counted): Error {
  return refusal(status.RESOURCE_EXHAUSTED, 'RATE_LIMITED', message, {
    details: [
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${Math.max(1, Math.ceil(waitMs / 1_000))}s` },
    ],
  })
}
