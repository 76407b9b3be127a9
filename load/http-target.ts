/** HTTP calls to gateways, measured from outside: no retry, no follow-up, each status as it came. */
import { Client, Pool, type Dispatcher } from 'undici'

/** One answer; a call that got none has the status 0. */
export interface HttpAnswer {
  status: number
  body: string
}

export interface HttpTargetOptions {
  /** One gateway, or several that are asked in turn. */
  urls: string[]
  apiKey: string
  /** Connections in all; a user is a connection that stays open. */
  connections: number
  timeoutMs: number
}

/** Calls gateways over kept connections. */
export class HttpTarget {
  readonly #urls: string[]
  readonly #pools: Pool[]
  readonly #apiKey: string
  readonly #timeoutMs: number
  #next = 0

  constructor({ urls, apiKey, connections, timeoutMs }: HttpTargetOptions) {
    this.#urls = urls
    this.#apiKey = apiKey
    this.#timeoutMs = timeoutMs
    const each = Math.ceil(connections / urls.length)
    this.#pools = urls.map((url) => new Pool(url, { connections: each, pipelining: 1, connectTimeout: timeoutMs }))
  }

  /** Sends one request over a kept connection; never rejects. */
  call(method: 'GET' | 'POST', path: string, json?: string): Promise<HttpAnswer> {
    return this.#callOver(this.#pools[this.#next++ % this.#pools.length]!, method, path, json)
  }

  /** The same over a connection of its own, which nobody has begun to close. */
  async callAnew(method: 'GET' | 'POST', path: string, json?: string): Promise<HttpAnswer> {
    const client = new Client(this.#urls[this.#next++ % this.#urls.length]!, { connectTimeout: this.#timeoutMs })
    try {
      return await this.#callOver(client, method, path, json)
    } finally {
      await client.destroy()
    }
  }

  async #callOver(connection: Dispatcher, method: 'GET' | 'POST', path: string, json?: string): Promise<HttpAnswer> {
    const headers = { authorization: `Bearer ${this.#apiKey}`, 'content-type': 'application/json' }
    try {
      const { statusCode, body } = await connection.request({
        method,
        path,
        headers,
        body: json,
        signal: AbortSignal.timeout(this.#timeoutMs),
      })
      return { status: statusCode, body: await body.text() }
    } catch {
      // Refused, reset, or no answer in time: for who counts these it is one case.
      return { status: 0, body: '' }
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.destroy()))
  }
}
