/**
 * Counts requests in a window that slides: those of the current minute, and of the last minute as much as is still
 * within 60 s, taking them for evenly spread. So a limit holds over any minute, not only over calendar ones.
 *
 *     last minute      current minute
 *     |···············|·······x
 *             |--------60 s----|       count = last × 50 % + current
 *
 * Counters are rate-limiter-flexible's: in memory, or in Redis with memory in its place while Redis is gone.
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
  readonly #counters: RateLimiterMemory | RateLimiterRedis
  /** How many were counted in the last minute; it is over, so its count is read once. */
  readonly #last = new LRUCache<string, { window: number; count: number }>({ max: keysMax })

  constructor(name: string, limit: number, redis?: Redis) {
    this.#limit = limit
    const options = { ...uncounted, keyPrefix: `flowforge:limit:${name}` }
    const memory = new RateLimiterMemory(options)
    this.#counters =
      redis === undefined
        ? memory
        : new RateLimiterRedis({
            ...options,
            storeClient: redis,
            useRedisPackage: true,
            rejectIfRedisNotReady: true,
            insuranceLimiter: memory,
          })
  }

  /** Counts one request, unless it is beyond the limit: who is refused does not wait longer for having asked. */
  async count(key: string, now = Date.now()): Promise<Counted> {
    const window = Math.floor(now / windowMs)
    const passed = (now % windowMs) / windowMs
    const [last, { consumedPoints: current }] = await Promise.all([
      this.#lastCount(key, window),
      this.#counters.consume(`${key}:${window}`),
    ])
    const remaining = Math.floor(this.#limit - last * (1 - passed) - current)
    if (remaining >= 0) return { isWithin: true, remaining, waitMs: (1 - passed) * windowMs }
    await this.#counters.reward(`${key}:${window}`)
    return { isWithin: false, remaining: 0, waitMs: this.#wait(last, current - 1, passed) }
  }

  async #lastCount(key: string, window: number): Promise<number> {
    const known = this.#last.get(key)
    if (known?.window === window) return known.count
    const count = (await this.#counters.get(`${key}:${window - 1}`))?.consumedPoints ?? 0
    this.#last.set(key, { window, count })
    return count
  }

  /** How long until one more fits: while the last minute slides out, or else the current one. */
  #wait(last: number, current: number, passed: number): number {
    const room = this.#limit - 1 - current
    if (room >= 0) return Math.max(0, 1 - room / last - passed) * windowMs
    return (1 - passed + Math.max(0, 1 - (this.#limit - 1) / current)) * windowMs
  }
}
