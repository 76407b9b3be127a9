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
  /** For how many milliseconds it is worth to wait now for another statement that takes the items along; none if unset. */
  holdMs?: () => number
}

/** Items that go with another statement: just one of the three is called. */
export interface Passengers<Item, Result> {
  items: Item[]
  /** They were written: one result or error for each. */
  settle(results: (Result | Error)[]): void
  /** Nobody knows whether they were written, or never will. */
  fail(error: Error): void
  /** They were not written, and wait again. */
  giveBack(): void
}

/** Items that were added together, and go together. */
interface Group<Item, Result> {
  items: Item[]
  settle: (results: (Result | Error)[]) => void
}

/**
 * Flushes that may be in flight at a time: while the database works on one batch, the answers of the one before go out
 * and the next requests come in.
 */
const flushesMax = 2

export class Batch<Item, Result> {
  #waiting: Group<Item, Result>[] = []
  #waitingItems = 0
  #flushes = 0
  #isScheduled = false
  readonly #options: BatchOptions<Item, Result>

  constructor(options: BatchOptions<Item, Result>) {
    this.#options = options
  }

  /** Adds an item to the next flush and resolves with its own result. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#enqueue([item], ([result]) => {
        if (result instanceof Error) reject(result)
        else resolve(result as Result)
      })
    })
  }

  /** Adds items to one flush, at most as many as a flush may have, and resolves with a result or an error for each. */
  addAll(items: Item[]): Promise<(Result | Error)[]> {
    return new Promise((resolve) => this.#enqueue(items, resolve))
  }

  /** What waits, for a statement that takes it along; undefined if nothing does. */
  passengers(): Passengers<Item, Result> | undefined {
    const groups = this.#take()
    if (groups.length === 0) return undefined
    const items = groups.flatMap((group) => group.items)
    const settle = (results: (Result | Error)[]) => settleGroups(groups, results)
    return {
      items,
      settle,
      fail: (error) => settle(items.map(() => error)),
      giveBack: () => {
        this.#waiting.unshift(...groups)
        this.#waitingItems += items.length
        this.#schedule()
      },
    }
  }

  #enqueue(items: Item[], settle: Group<Item, Result>['settle']): void {
    if (this.#waitingItems >= this.#options.waitingMax) {
      const error = resourceExhausted('OVERLOADED', 'too much is being written at the moment', 1000)
      settle(items.map(() => error))
      return
    }
    this.#waiting.push({ items, settle })
    this.#waitingItems += items.length
    this.#schedule()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#waiting.length === 0 || this.#flushes >= flushesMax) return
    this.#isScheduled = true
    const start = (): void => {
      this.#isScheduled = false
      void this.#run(this.#take())
    }
    const holdMs = this.#options.holdMs?.() ?? 0
    if (holdMs > 0) setTimeout(start, holdMs)
    // After this turn's I/O events, so that all that arrived together goes together.
    else setImmediate(start)
  }

  #take(): Group<Item, Result>[] {
    const { itemsMax, bytesMax = Infinity, bytesOf = () => 0 } = this.#options
    let items = 0
    let bytes = 0
    let count = 0
    for (const group of this.#waiting) {
      items += group.items.length
      for (const item of group.items) bytes += bytesOf(item)
      if (count > 0 && (items > itemsMax || bytes > bytesMax)) {
        items -= group.items.length
        break
      }
      count++
    }
    this.#waitingItems -= items
    return this.#waiting.splice(0, count)
  }

  async #run(groups: Group<Item, Result>[]): Promise<void> {
    if (groups.length === 0) return
    this.#flushes++
    const results = await this.#write(groups.length === 1 ? groups[0]!.items : groups.flatMap(({ items }) => items))
    settleGroups(groups, results)
    this.#flushes--
    this.#schedule()
  }

  async #write(items: Item[]): Promise<(Result | Error)[]> {
    try {
      return await retryConflict(() => this.#options.flush(items))
    } catch (error) {
      if (items.length === 1 || !isDataError(error)) return items.map(() => error as Error)
      // One item that the database can't take must not fail its neighbours: halve until it stands alone.
      const middle = items.length >> 1
      return [...(await this.#write(items.slice(0, middle))), ...(await this.#write(items.slice(middle)))]
    }
  }
}

function settleGroups<Item, Result>(groups: Group<Item, Result>[], results: (Result | Error)[]): void {
  let at = 0
  for (const { items, settle } of groups) settle(results.slice(at, (at += items.length)))
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
