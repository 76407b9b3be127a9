import type { Logger } from '@flowforge/runtime/log'
import type { Redis } from '../redis.ts'
import type { Exchange, Transcoder } from '../transcoder/transcoder.ts'
import { MemoryStore } from './memory-store.ts'
import { ResponseCache, type Outcome } from './response-cache.ts'
import { CacheRules, type ReadRule } from './rules.ts'
import { SharedStore } from './shared-store.ts'

export interface CacheOptions {
  readonly ttlMs: Readonly<Record<ReadRule['kind'], number>>
  /** How much longer answers are kept for when the service cannot be reached. */
  readonly staleMs: number
  readonly bytesMax: number
  readonly redis: Redis | undefined
  /** Other gateways serve the same callers. */
  readonly hasPeers: boolean
  timeoutMs(exchange: Exchange): number
  readonly log: Logger
}

/** The cache and what operators may do with it. */
export interface OpenCache {
  readonly around: ResponseCache['around']
  statistics(): CacheStatistics
  clear(): Promise<void>
}

export interface CacheStatistics {
  readonly store: 'memory' | 'redis'
  /** Since this gateway started. */
  readonly counts: Readonly<Record<Outcome, number>>
  /** Share of reads that were answered from what is kept; 0 before the first. */
  readonly hitRatio: number
  /** What this gateway itself keeps in memory. */
  readonly entries: number
  readonly bytes: number
}

/** Opens the cache; undefined where none can keep its promise: several gateways without a Redis, or times that are all 0. */
export function openCache({ registry, routes }: Transcoder, options: CacheOptions): OpenCache | undefined {
  const { ttlMs, redis, hasPeers, log } = options
  const keepMs = Math.max(ttlMs.list, ttlMs.item) + options.staleMs
  if ((redis === undefined && hasPeers) || (ttlMs.list === 0 && ttlMs.item === 0)) return undefined
  const own = new MemoryStore(options.bytesMax, keepMs)
  const shared = redis && new SharedStore(redis, keepMs, hasPeers ? undefined : own, log)
  const store = shared ?? own
  const cache = new ResponseCache({
    rules: new CacheRules(registry, routes),
    store,
    ttlMs,
    timeoutMs: options.timeoutMs,
  })
  return {
    around: (exchange, request, call) => cache.around(exchange, request, call),
    clear: () => store.clear(),
    statistics() {
      const { hit, stale, miss, bypass } = cache.counts
      const reads = hit + stale + miss + bypass
      return {
        store: shared?.isShared === true ? 'redis' : 'memory',
        counts: { ...cache.counts },
        hitRatio: reads === 0 ? 0 : (hit + stale) / reads,
        ...own.size,
      }
    },
  }
}
