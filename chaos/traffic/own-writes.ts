/** Changes something that gateways keep answers of, and looks at once through each gateway whether the change is seen. */
import { setTimeout as delay } from 'node:timers/promises'

const everyMs = 100
const answerWithinMs = 5_000

/** Reads what it has just written, over and over, until it is stopped. */
export class OwnWrites {
  /** Reads that were answered. */
  reads = 0
  /** Those of them that the gateways' cache answered. */
  kept = 0
  /** Those that were answered with something older than what had been acknowledged before them. */
  stale = 0
  readonly #urls: string[]
  readonly #headers: Record<string, string>
  readonly #stop = new AbortController()
  readonly #loop: Promise<void>

  constructor(gatewayUrls: string[], apiKey: string) {
    this.#urls = gatewayUrls.map((url) => `${url}/v1/projects/default`)
    this.#headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
    this.#loop = this.#repeat()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#loop
  }

  async #repeat(): Promise<void> {
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      const displayName = `chaos ${turn}`
      const writer = this.#urls[turn % this.#urls.length]!
      const written = await this.#ask(writer, { method: 'PATCH', body: JSON.stringify({ displayName }) })
      // Twice, so that the second may come from what the first has left in the cache.
      if (written?.ok) for (const reader of [...this.#urls, ...this.#urls]) await this.#read(reader, displayName)
      await delay(everyMs)
    }
  }

  async #read(url: string, displayName: string): Promise<void> {
    const response = await this.#ask(url, { method: 'GET' })
    if (!response?.ok) return
    this.reads += 1
    if (response.headers.get('x-cache') === 'HIT') this.kept += 1
    if (((await response.json()) as { displayName: string }).displayName !== displayName) this.stale += 1
  }

  async #ask(url: string, request: { method: string; body?: string }): Promise<Response | undefined> {
    try {
      return await fetch(url, { ...request, headers: this.#headers, signal: AbortSignal.timeout(answerWithinMs) })
    } catch {
      // Not answered: what is not told cannot be stale.
      return undefined
    }
  }
}
