/**
 * Counts requests in a window that slides: those of the current minute, and of the last minute as much as is still
 * within 60 s, taking them for evenly spread. So a limit holds over any minute, not only over calendar ones.
 *
 *     last minute      current minute
 *     |···············|·······x
 *             |--------60 s----|       count = last × 50 % + current
 *
 * Counters are in memory, or in Redis by rate-limiter-flexible, with its memory in its place while Redis is gone.
 */
import { LRUCache } from 'lru-cache'
import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible'
import type { Redis } from './redis.ts'

/** What became of one request. */
export interface Counted {
  readonly isWithin: boolean
  readonly remaining: number
  /** Until another request is let through, if this one was not; else until the current minute ends. */
  readonly waitMs: number
}

const windowMs = 60_000
const windowSeconds = windowMs / 1_000
// The counters count; whether it is too much is decided here.
const uncounted = { points: Number.MAX_SAFE_INTEGER, duration: 2 * windowSeconds }
const keysMax = 100_000

/** Counts up to `limit` requests of each key in any 60 s; `name` keeps the counters of several limits apart. */
export class SlidingWindow {
  readonly #limit: number
  /** What is known here: all of it, or with Redis only how many the last minute had; it is over, so that is read once. */
  readonly #own = new LRUCache<string, { window: number; last: number; current: number }>({ max: keysMax })
  readonly #shared: RateLimiterRedis | undefined

  constructor(name: string, limit: number, redis?: Redis) {
    this.#limit = limit
    const options = { ...uncounted, keyPrefix: `flowforge:limit:${name}` }
    this.#shared =
      redis &&
      new RateLimiterRedis({
        ...options,
        storeClient: redis,
        useRedisPackage: true,
        rejectIfRedisNotReady: true,
        insuranceLimiter: new RateLimiterMemory(options),
      })
  }

  /** Counts one request, unless it is beyond the limit: who is refused does not wait longer for having asked. */
  count(key: string, now = Date.now()): Counted | Promise<Counted> {
    const window = Math.floor(now / windowMs)
    const passed = (now % windowMs) / windowMs
    if (this.#shared !== undefined) return this.#countShared(this.#shared, key, window, passed)
    let own = this.#own.get(key)
    if (own?.window !== window) {
      own = { window, last: own?.window === window - 1 ? own.current : 0, current: 0 }
      this.#own.set(key, own)
    }
    const counted = this.#judge(own.last, own.current + 1, passed)
    if (counted.isWithin) own.current++
    return counted
  }

  async #countShared(counters: RateLimiterRedis, key: string, window: number, passed: number): Promise<Counted> {
    const [last, { consumedPoints: current }] = await Promise.all([
      this.#lastCount(counters, key, window),
      counters.consume(`${key}:${window}`),
    ])
    const counted = this.#judge(last, current, passed)
    if (!counted.isWithin) await counters.reward(`${key}:${window}`)
    return counted
  }

  async #lastCount(counters: RateLimiterRedis, key: string, window: number): Promise<number> {
    const known = this.#own.get(key)
    if (known?.window === window) return known.last
    const last = (await counters.get(`${key}:${window - 1}`))?.consumedPoints ?? 0
    this.#own.set(key, { window, last, current: 0 })
    return last
  }

  /** Whether the last of `current` requests is within the limit. */
  #judge(last: number, current: number, passed: number): Counted {
    const remaining = Math.floor(this.#limit - last * (1 - passed) - current)
    if (remaining >= 0) return { isWithin: true, remaining, waitMs: (1 - passed) * windowMs }
    return { isWithin: false, remaining: 0, waitMs: this.#wait(last, current - 1, passed) }
  }

  /** How long until one more fits: while the last minute slides out, or else the current one. */
  #wait(last: number, current: number, passed: number): number {
    const room = this.#limit - 1 - current
    if (room >= 0) return Math.max(0, 1 - room / last - passed) * windowMs
    return (1 - passed + Math.max(0, 1 - (this.#limit - 1) / current)) * windowMs
  }
}
