/**
 * Answers from what an earlier call answered, and never with what a change has overtaken.
 *
 *     look up the answer and its tags' generations, at one moment
 *         same generations, young enough ──────────► HIT
 *         else call ── answered ── keep it under the generations seen before the call ──► MISS
 *                   └─ unavailable, and only too old ──► HIT with Warning: 110
 *     change: call ── bump its tags ── answer
 *
 * A change is told before it is answered, so whoever made it reads nothing older afterwards, through any gateway. A call
 * that a change overtakes keeps its answer under a generation that is over.
 */
import { createHash } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import { Counter, registry } from '@flowforge/runtime/metrics'
import { RpcError, type Answer, type Call, type Exchange } from '../transcoder/transcoder.ts'
import { requestControl } from './request-control.ts'
import type { CacheRules, ReadRule } from './rules.ts'
import { StoreGone } from './shared-store.ts'
import type { Entry, Store } from './store.ts'

export interface ResponseCacheOptions {
  readonly rules: CacheRules
  readonly store: Store
  /** How long an answer is good, by kind; 0 keeps none of that kind. */
  readonly ttlMs: Readonly<Record<ReadRule['kind'], number>>
  /** Longest time of a call that several callers wait for. */
  timeoutMs(exchange: Exchange): number
}

/** What became of requests that could have been answered from what is kept. */
export type Outcome = 'hit' | 'stale' | 'miss' | 'bypass' | 'refresh' | 'invalidation'

const outcomes = new Counter({
  name: 'http_cache_total',
  help: 'Reads answered from what is kept (hit, stale), or not (miss, bypass); answers renewed early; changes that ended some.',
  labelNames: ['outcome'],
  registers: [registry],
})

// An answer in its last fifth that is still asked for is renewed before anybody has to wait for it.
const refreshFrom = 0.8
// A call that ended so may still do its work. By then it has, or its own deadline has stopped it.
const ambiguous = new Set<number>([
  status.CANCELLED,
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.INTERNAL,
  status.UNAVAILABLE,
])
const secondBumpMs = 10_000

export class ResponseCache {
  readonly counts: Record<Outcome, number> = { hit: 0, stale: 0, miss: 0, bypass: 0, refresh: 0, invalidation: 0 }
  readonly #counters: Partial<Record<Outcome, Counter.Internal>> = {}
  readonly #options: ResponseCacheOptions
  /** Calls that several callers wait for, by key and generations: who comes after a change starts a call of its own. */
  readonly #calls = new Map<string, Promise<Answer>>()

  constructor(options: ResponseCacheOptions) {
    this.#options = options
  }

  /** As the transcoder's hook of this name: undefined for calls that are no matter of the cache's. */
  around(exchange: Exchange, request: Buffer, call: Call): Promise<Answer> | undefined {
    const { rules, ttlMs } = this.#options
    const rule = rules.readOf(exchange.route)
    if (rule !== undefined && ttlMs[rule.kind] > 0) return this.#read(rule, exchange, request, call)
    if (exchange.request.method === 'GET' || exchange.request.method === 'HEAD') {
      this.#tell(exchange, 'bypass')
      return undefined
    }
    const tags = rules.changesOf(exchange)
    return tags.length === 0 ? undefined : this.#change(tags, call)
  }

  async #read(rule: ReadRule, exchange: Exchange, request: Buffer, call: Call): Promise<Answer> {
    const { rules, store, ttlMs } = this.#options
    const control = requestControl(exchange.request.headers)
    if (control.noStore || hasOwnMetadata(exchange)) return this.#bypass(exchange, call)
    const key = keyOf(exchange, request)
    const found = await store.read(key, rules.tagsOf(exchange, rule)).catch(ifGone)
    if (found === undefined) return this.#bypass(exchange, call)
    const { entry, generations } = found
    const isCurrent = entry !== undefined && entry.generations === generations && !control.noCache
    const ageMs = entry === undefined ? 0 : Date.now() - entry.storedMs
    const fill = (): Promise<Answer> => this.#fill(key, generations, rule, exchange, call)
    if (isCurrent && ageMs < ttlMs[rule.kind] && ageMs <= control.maxAgeMs) {
      if (ageMs > refreshFrom * ttlMs[rule.kind]) this.#refresh(fill)
      return this.#keptAnswer(exchange, entry, ageMs, 'hit')
    }
    if (control.onlyIfCached) throw notKept()
    try {
      const answer = await fill()
      this.#tell(exchange, isFinal(rule, answer) ? 'miss' : 'bypass')
      return answer
    } catch (error) {
      const isDown = error instanceof RpcError && error.code === status.UNAVAILABLE
      if (!isDown || !isCurrent || ageMs > control.maxAgeMs) throw error
      exchange.response.setHeader('warning', '110 - "Response is Stale"')
      return this.#keptAnswer(exchange, entry, ageMs, 'stale')
    }
  }

  #keptAnswer(exchange: Exchange, entry: Entry, ageMs: number, outcome: Outcome): Answer {
    this.#tell(exchange, outcome)
    exchange.response.setHeader('age', Math.max(0, Math.floor(ageMs / 1_000)))
    return entry
  }

  #bypass(exchange: Exchange, call: Call): Promise<Answer> {
    this.#tell(exchange, 'bypass')
    return call()
  }

  #fill(key: string, generations: string, rule: ReadRule, exchange: Exchange, call: Call): Promise<Answer> {
    const ask = async (until?: number): Promise<Answer> => {
      const answer = await call(until)
      if (isFinal(rule, answer)) {
        const entry = { ...answer, storedMs: Date.now(), generations }
        await this.#options.store.write(key, entry).catch(ifGone)
      }
      return answer
    }
    // Who has less time than the others asks alone: nobody else shall fail for that.
    if (exchange.request.headers['grpc-timeout'] ?? exchange.request.headers['request-timeout']) return ask()
    const id = `${key} ${generations}`
    let running = this.#calls.get(id)
    if (running === undefined) {
      running = ask(Date.now() + this.#options.timeoutMs(exchange)).finally(() => this.#calls.delete(id))
      this.#calls.set(id, running)
    }
    return running
  }

  #refresh(fill: () => Promise<Answer>): void {
    this.#count('refresh')
    // Nobody waits for it; what is kept is still good, and the next one tries again.
    fill().catch(() => undefined)
  }

  async #change(tags: readonly string[], call: Call): Promise<Answer> {
    const { store } = this.#options
    this.#count('invalidation')
    try {
      const answer = await call()
      await store.bump(tags)
      return answer
    } catch (error) {
      await store.bump(tags)
      if (error instanceof RpcError && ambiguous.has(error.code))
        setTimeout(() => void store.bump(tags), secondBumpMs).unref()
      throw error
    }
  }

  #tell({ response }: Exchange, outcome: Outcome): void {
    this.#count(outcome)
    response.setHeader('x-cache', outcome === 'stale' ? 'HIT' : outcome.toUpperCase())
  }

  #count(outcome: Outcome): void {
    this.counts[outcome]++
    ;(this.#counters[outcome] ??= outcomes.labels(outcome)).inc()
  }
}

/** Whoever asks, for what: the request as it goes out tells that, whatever its URL looked like. */
function keyOf({ route, metadata }: Exchange, request: Buffer): string {
  const hash = createHash('sha256')
  for (const name of ['flowforge-principal', 'flowforge-project']) hash.update(`${String(metadata.get(name)[0])}\n`)
  return hash.update(`${route.path}\n`).update(request).digest('base64url')
}

/** What a caller sends along may change the answer, in ways that only the service knows. */
function hasOwnMetadata({ request }: Exchange): boolean {
  for (const name in request.headers) if (name.startsWith('grpc-metadata-')) return true
  return false
}

function isFinal({ whenSet }: ReadRule, { contentType, data }: Answer): boolean {
  if (contentType !== 'application/json') return false
  if (whenSet === undefined) return true
  // The name may also stand somewhere deeper; if it stands nowhere there is nothing to parse.
  return data.includes(`"${whenSet}":`) && whenSet in (JSON.parse(data.toString()) as object)
}

function ifGone(error: unknown): undefined {
  if (!(error instanceof StoreGone)) throw error
}

function notKept(): RpcError {
  return new RpcError(status.UNAVAILABLE, 'no answer is kept that would do', { httpStatus: 504, reason: 'NOT_CACHED' })
}
