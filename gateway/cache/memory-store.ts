import { LRUCache } from 'lru-cache'
import type { Entry, Found, Store } from './store.ts'

const tagsMax = 100_000

/** Keeps answers in this process, up to `bytesMax` in all; those that nobody asks for go first. */
export class MemoryStore implements Store {
  readonly #entries: LRUCache<string, Entry>
  readonly #generations: LRUCache<string, number>
  /** Generations are never given twice, also to different tags. */
  #last = 0
  /** What a tag counts as that is not remembered: no less than any that was forgotten, so that nothing comes back to life. */
  #floor = 0

  constructor(bytesMax: number, keepMs: number) {
    this.#entries = new LRUCache({
      maxSize: Math.max(1, bytesMax),
      sizeCalculation: ({ data }, key) => data.length + key.length + 500,
      // Its clock of 1 ms would be a timer, and a process that wakes up for it, with every few look-ups.
      ttlResolution: 0,
      ttl: keepMs,
    })
    this.#generations = new LRUCache({
      max: tagsMax,
      dispose: (generation, _tag, reason) => {
        if (reason === 'evict') this.#floor = Math.max(this.#floor, generation)
      },
    })
  }

  get size(): { entries: number; bytes: number } {
    return { entries: this.#entries.size, bytes: this.#entries.calculatedSize }
  }

  async read(key: string, tags: readonly string[]): Promise<Found> {
    const generations = tags.map((tag) => this.#generations.get(tag) ?? this.#floor).join('.')
    return { entry: this.#entries.get(key), generations }
  }

  async write(key: string, entry: Entry): Promise<void> {
    this.#entries.set(key, entry)
  }

  async bump(tags: readonly string[]): Promise<void> {
    for (const tag of tags) this.#generations.set(tag, ++this.#last)
  }

  async clear(): Promise<void> {
    this.#entries.clear()
    this.#generations.clear()
    this.#floor = ++this.#last
  }
}
