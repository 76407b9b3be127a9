/** Leasing from one queue by the statement that suits it, from where there may be something to lease. */
import type pg from 'pg'
import { hasReady, leaseSteered, leaseTasks, type LeasedRow, type Slot } from './lease.ts'
import type { QueueCache } from './queue-cache.ts'
import { ScanStarts } from './scan-starts.ts'

export interface LeasingOptions {
  pool: pg.Pool
  queues: QueueCache
  /** Called when a queue's rate limit may let another task start. */
  onRefilled: (queueId: number) => void
}

export class Leasing {
  readonly starts = new ScanStarts()
  readonly #options: LeasingOptions
  readonly #refillTimers = new Map<number, NodeJS.Timeout>()

  constructor(options: LeasingOptions) {
    this.#options = options
  }

  stop(): void {
    for (const timer of this.#refillTimers.values()) clearTimeout(timer)
  }

  /** Leases at most one task for each slot; one call at a time for a queue. */
  async lease(queueId: number, types: string[] | null, slots: Slot[]): Promise<LeasedRow[]> {
    const { pool, queues } = this.#options
    const { isPlain, ratePerS } = await queues.byId(queueId)
    if (isPlain)
      return this.starts.scan(queueId, types, slots.length, (stretches) =>
        leaseTasks(pool, queueId, types, slots, stretches),
      )
    const rows = await leaseSteered(pool, queueId, types, slots)
    // A rate limit frees places by mere time; every other limit by something that is heard of.
    if (ratePerS !== null && rows.length < slots.length && (await hasReady(pool, queueId)))
      this.#refillIn(queueId, 1000 / ratePerS)
    return rows
  }

  #refillIn(queueId: number, inMs: number): void {
    if (this.#refillTimers.has(queueId)) return
    const timer = setTimeout(
      () => {
        this.#refillTimers.delete(queueId)
        this.#options.onRefilled(queueId)
      },
      Math.min(Math.max(inMs, 10), 1000),
    )
    this.#refillTimers.set(queueId, timer)
  }
}
