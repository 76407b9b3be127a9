/**
 * Natural batching: while flushes are in flight the next batch gathers, so that one multi-row statement and one
 * commit serve all callers of that moment. There is no timer: an idle system flushes at once, a busy one amortizes.
 */
import { isConflict, isDataError } from '@flowforge/runtime/sqlstate'
import { resourceExhausted } from '@flowforge/runtime/status'

export interface BatchOptions<Item, Result> {
  /** Writes the items; answers with one result or error for each, in their order. Throws if nothing was written. */
  flush: (items: Item[]) => Promise<(Result | Error)[]>
  /** Most items in one flush. */
  itemsMax: number
  /** Most bytes in one flush, as `bytesOf` counts them. */
  bytesMax?: number
  bytesOf?: (item: Item) => number
  /** Most items that may wait; more are refused as RESOURCE_EXHAUSTED. */
  waitingMax: number
}

interface Entry<Item, Result> {
  item: Item
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

/**
 * Flushes that may be in flight at a time: while the database works on one batch, the answers of the one before go out
 * and the next requests come in.
 */
const flushesMax = 2

export class Batch<Item, Result> {
  #waiting: Entry<Item, Result>[] = []
  #flushes = 0
  #isScheduled = false
  readonly #options: BatchOptions<Item, Result>

  constructor(options: BatchOptions<Item, Result>) {
    this.#options = options
  }

  /** Adds an item to the next flush and resolves with its own result. */
  add(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#options.waitingMax)
      return Promise.reject(resourceExhausted('OVERLOADED', 'too much is being written at the moment', 1000))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0 || this.#flushes >= flushesMax) return
    this.#isScheduled = true
    // After this turn's I/O events, so that all that arrived together goes together.
    setImmediate(() => {
      this.#isScheduled = false
      void this.#run(this.#take())
    })
  }

  #take(): Entry<Item, Result>[] {
    const { itemsMax, bytesMax = Infinity, bytesOf = () => 0 } = this.#options
    let bytes = 0
    let count = 0
    for (const entry of this.#waiting) {
      bytes += bytesOf(entry.item)
      if (count > 0 && (count >= itemsMax || bytes > bytesMax)) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #run(entries: Entry<Item, Result>[]): Promise<void> {
    if (entries.length === 0) return
    this.#flushes++
    try {
      await this.#flush(entries)
    } finally {
      this.#flushes--
      this.#schedule()
    }
  }

  async #flush(entries: Entry<Item, Result>[]): Promise<void> {
    try {
      const results = await retryConflict(() => this.#options.flush(entries.map((entry) => entry.item)))
      entries.forEach((entry, i) => {
        const result = results[i]
        if (result instanceof Error) entry.reject(result)
        else entry.resolve(result as Result)
      })
    } catch (error) {
      // One item that the database can't take must not fail its neighbours: halve until it stands alone.
      if (entries.length > 1 && isDataError(error)) {
        const middle = entries.length >> 1
        await this.#flush(entries.slice(0, middle))
        await this.#flush(entries.slice(middle))
      } else {
        for (const entry of entries) entry.reject(error)
      }
    }
  }
}

async function retryConflict<T>(write: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write()
    } catch (error) {
      if (attempt === 3 || !isConflict(error)) throw error
    }
  }
}
