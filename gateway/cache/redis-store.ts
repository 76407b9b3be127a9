import type { Redis } from '../redis.ts'
import type { Entry, Found, Store } from './store.ts'

const prefix = 'flowforge:cache:'
// One for all tags: a new one ends everything.
const epochKey = `${prefix}epoch`

/**
 * Keeps answers in Redis, for all gateways. A look-up asks for the answer and for its tags' generations in one command, so
 * that a change by any of them is seen by the next look-up of every one. Fails when Redis does.
 */
export class RedisStore implements Store {
  readonly #redis: Redis
  readonly #keepMs: number

  constructor(redis: Redis, keepMs: number) {
    this.#redis = redis
    this.#keepMs = Math.max(1, keepMs)
  }

  async read(key: string, tags: readonly string[]): Promise<Found> {
    const [text, ...generations] = await this.#redis.mGet([prefix + key, epochKey, ...tags.map(tagKey)])
    return {
      entry: typeof text === 'string' ? decode(text) : undefined,
      generations: generations.map((one) => one ?? '0').join('.'),
    }
  }

  async write(key: string, entry: Entry): Promise<void> {
    await this.#redis.set(prefix + key, encode(entry), { expiration: { type: 'PX', value: this.#keepMs } })
  }

  async bump(tags: readonly string[]): Promise<void> {
    const commands = this.#redis.multi()
    // A tag outlives everything that was kept under an earlier generation of it; then it may begin anew.
    for (const tag of tags) commands.incr(tagKey(tag)).pExpire(tagKey(tag), 2 * this.#keepMs)
    await commands.exec()
  }

  async clear(): Promise<void> {
    await this.#redis.incr(epochKey)
  }
}

function tagKey(tag: string): string {
  return `${prefix}tag:${tag}`
}

function encode({ data, ...rest }: Entry): string {
  return `${JSON.stringify(rest)}\n${data.toString('utf8')}`
}

function decode(text: string): Entry {
  const end = text.indexOf('\n')
  const rest = JSON.parse(text.slice(0, end)) as Omit<Entry, 'data'>
  return { ...rest, data: Buffer.from(text.slice(end + 1)) }
}
