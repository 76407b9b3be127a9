import type { Logger } from '@flowforge/runtime/log'
import type { Redis } from '../redis.ts'
import type { MemoryStore } from './memory-store.ts'
import { RedisStore } from './redis-store.ts'
import type { Entry, Found, Store } from './store.ts'

/**
 * Keeps answers in Redis and, while Redis is gone, in memory: only for the one gateway that there is. With several ones a
 * memory of one's own knows nothing of the others' changes, so then nothing is kept until Redis is back.
 */
export class SharedStore implements Store {
  readonly #redis: Redis
  readonly #shared: RedisStore
  readonly #own: MemoryStore | undefined
  readonly #log: Logger
  /** A change could not be told to Redis: what is kept there may be old. */
  #isBehind = false

  constructor(redis: Redis, keepMs: number, own: MemoryStore | undefined, log: Logger) {
    this.#redis = redis
    this.#shared = new RedisStore(redis, keepMs)
    this.#own = own
    this.#log = log
    redis.on('ready', () => void this.#catchUp())
  }

  get isShared(): boolean {
    return this.#redis.isReady && !this.#isBehind
  }

  read(key: string, tags: readonly string[]): Promise<Found> {
    return this.#either((store) => store.read(key, tags))
  }

  write(key: string, entry: Entry): Promise<void> {
    return this.#either((store) => store.write(key, entry))
  }

  async bump(tags: readonly string[]): Promise<void> {
    // In both, so that the one knows of what happened while the other was used.
    await this.#own?.bump(tags)
    await this.#tell((store) => store.bump(tags))
  }

  async clear(): Promise<void> {
    await this.#own?.clear()
    await this.#tell((store) => store.clear())
  }

  async #tell(change: (store: RedisStore) => Promise<void>): Promise<void> {
    try {
      await change(this.#shared)
    } catch (error) {
      this.#log.debug({ err: error }, 'a change could not be told to Redis')
      this.#isBehind = true
      // The connection may be there and only one command have failed: then no `ready` comes.
      if (this.#redis.isReady) void this.#catchUp()
    }
  }

  async #either<T>(use: (store: Store) => Promise<T>): Promise<T> {
    if (this.isShared) {
      try {
        return await use(this.#shared)
      } catch (error) {
        this.#log.debug({ err: error }, 'Redis did not answer')
      }
    }
    if (this.#own === undefined) throw new StoreGone()
    return use(this.#own)
  }

  /** Ends what is kept in Redis if changes did not get there; until that succeeds Redis is not used. */
  async #catchUp(): Promise<void> {
    if (!this.#isBehind) return
    try {
      await this.#shared.clear()
      this.#isBehind = false
    } catch (error) {
      this.#log.debug({ err: error }, 'Redis is gone again')
    }
  }
}

/** There is no place to keep answers in at the moment. */
export class StoreGone extends Error {
  override readonly name = 'StoreGone'
}
