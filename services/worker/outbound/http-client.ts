/** Outbound HTTP: guarded destinations, a breaker and bulkhead per host, bounded redirects, time and bytes. */
import { request } from 'undici'
import type { AllowList } from './address-rules.ts'
import { parseDestination } from './destination.ts'
import { DestinationRefusedError, guardedAgent } from './guarded-agent.ts'
import { HostGuards } from './host-guards.ts'

export interface HttpRequest {
  url: string
  method: string
  headers: Record<string, string>
  body?: Buffer
  /** Bounds the whole exchange, redirects included. */
  timeoutMs: number
  /** How many redirects are followed, each checked like the first destination. */
  redirectsMax: number
  signal: AbortSignal
}

export interface HttpAnswer {
  status: number
  headers: Record<string, string | string[] | undefined>
  /** The first 64 KiB. */
  body: Buffer
  isTruncated: boolean
}

export interface HttpClientOptions {
  allowed: AllowList
  requestsPerHost: number
}

/** A client for all of a worker's outbound HTTP. */
export interface HttpClient {
  /** Sends a request and reads its answer, whatever its status. Throws what became of it otherwise. */
  send(request: HttpRequest): Promise<HttpAnswer>
  close(): Promise<void>
}

const bodyBytesMax = 64 * 1024
const redirectStatuses = new Set([301, 302, 303, 307, 308])
const crossOriginSecrets = new Set(['authorization', 'cookie', 'proxy-authorization'])

type Hop = Pick<HttpRequest, 'method' | 'headers' | 'body'> & { url: URL }

export function createHttpClient({ allowed, requestsPerHost }: HttpClientOptions): HttpClient {
  const agent = guardedAgent({ allowed, connectionsPerHost: requestsPerHost })
  const guards = new HostGuards({ requestsPerHost })

  async function send({ url, redirectsMax, timeoutMs, signal, ...rest }: HttpRequest): Promise<HttpAnswer> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    let hop: Hop = { ...rest, url: parseDestination(url, allowed) }
    for (let redirects = 0; ; redirects += 1) {
      const answer = await guards.run(hop.url.host, () => exchange(hop, bounded))
      const location = redirectStatuses.has(answer.status) ? answer.headers['location'] : undefined
      if (redirectsMax === 0 || typeof location !== 'string') return answer
      if (redirects === redirectsMax) throw new DestinationRefusedError(`more than ${redirectsMax} redirects`)
      hop = redirected(hop, answer.status, parseDestination(location, allowed, hop.url))
    }
  }

  async function exchange({ url, method, headers, body }: Hop, signal: AbortSignal): Promise<HttpAnswer> {
    // undici passes the abort's reason on, so callers see why: the attempt's abort, or a TimeoutError.
    const response = await request(url, { method: method as 'GET', headers, body, signal, dispatcher: agent })
    return { status: response.statusCode, headers: response.headers, ...(await readBounded(response.body)) }
  }

  return { send, close: () => agent.destroy() }
}

/** The next hop, as RFC 9110 and browsers have it: 303, and 301/302 of a POST, become a GET without a body. */
function redirected(from: Hop, status: number, url: URL): Hop {
  const becomesGet = (status === 303 && from.method !== 'HEAD') || (status <= 302 && from.method === 'POST')
  const kept = Object.entries(from.headers).filter(([name]) => {
    const lower = name.toLowerCase()
    if (url.origin !== from.url.origin && crossOriginSecrets.has(lower)) return false
    return !(becomesGet && lower.startsWith('content-'))
  })
  return {
    url,
    headers: Object.fromEntries(kept),
    ...(becomesGet ? { method: 'GET' } : { method: from.method, body: from.body }),
  }
}

async function readBounded(stream: AsyncIterable<Buffer>): Promise<{ body: Buffer; isTruncated: boolean }> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    chunks.push(chunk)
    bytes += chunk.byteLength
    // Leaving the loop destroys the stream: the rest is not read.
    if (bytes > bodyBytesMax) break
  }
  return { body: Buffer.concat(chunks).subarray(0, bodyBytesMax), isTruncated: bytes > bodyBytesMax }
}
