/** What every answer carries, whatever it is: a request ID, what browsers must not do with it, and who may read it. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TrustedProxies } from './client-address.ts'

export interface ResponseHeaderOptions {
  readonly proxies: TrustedProxies
  /** Origins whose pages may call us; `*` is any. None switches CORS off. */
  readonly corsOrigins: readonly string[]
  /** How long browsers shall insist on TLS, in seconds; only said over TLS. 0 says nothing. */
  readonly hstsSeconds: number
  readonly deprecations: readonly Deprecation[]
}

/** Paths that will go away. */
export interface Deprecation {
  /** `/v1` stands for itself and for everything below it. */
  readonly path: string
  /** From when on they should not be used. */
  readonly since: Date
  /** When they stop to work, if that is known. */
  readonly sunset: Date | undefined
}

const securityHeaders: readonly (readonly [string, string])[] = [
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
  ['cache-control', 'no-store'],
]

// What a page of another origin gets to see, besides what the Fetch standard shows anyway.
const exposed =
  'age, deprecation, etag, ratelimit, ratelimit-limit, ratelimit-policy, ratelimit-remaining, ratelimit-reset, retry-after, sunset, warning, www-authenticate, x-cache, x-request-id'
const preflightSeconds = 600

/** Prepares an answer, and leaves the request with an ID that is fit for a log. */
export function prepareResponse(
  request: IncomingMessage,
  response: ServerResponse,
  options: ResponseHeaderOptions,
): void {
  const given = request.headers['x-request-id']
  const id = typeof given === 'string' && /^[\w.:/+=-]{1,128}$/.test(given) ? given : randomUUID()
  request.headers['x-request-id'] = id
  response.setHeader('x-request-id', id)
  for (const [name, value] of securityHeaders) response.setHeader(name, value)
  if (options.hstsSeconds > 0 && options.proxies.isSecure(request)) {
    response.setHeader('strict-transport-security', `max-age=${options.hstsSeconds}; includeSubDomains`)
  }
  if (options.corsOrigins.length > 0) allowOrigin(request, response, options.corsOrigins)
  for (const deprecation of options.deprecations) tellDeprecation(request.url ?? '/', response, deprecation)
}

function allowOrigin(request: IncomingMessage, response: ServerResponse, origins: readonly string[]): void {
  const { origin } = request.headers
  const isAny = origins.includes('*')
  if (!isAny) response.setHeader('vary', 'Origin')
  if (origin === undefined || !(isAny || origins.includes(origin))) return
  // No Access-Control-Allow-Credentials: a key travels in a header that the page itself sets, never by itself.
  response.setHeader('access-control-allow-origin', isAny ? '*' : origin)
  response.setHeader('access-control-expose-headers', exposed)
  response.setHeader('cross-origin-resource-policy', 'cross-origin')
}

/** `Deprecation` is RFC 9745, `Sunset` RFC 8594. */
function tellDeprecation(url: string, response: ServerResponse, { path, since, sunset }: Deprecation): void {
  if (!url.startsWith(path) || !/^[/?]?$/.test(url.charAt(path.length))) return
  response.setHeader('deprecation', `@${Math.floor(since.getTime() / 1_000)}`)
  if (sunset !== undefined) response.setHeader('sunset', sunset.toUTCString())
}

/** Answers OPTIONS: with the methods of a path, and to a page of an allowed origin with what it may send. */
export function answerOptions(request: IncomingMessage, response: ServerResponse, methods: readonly string[]): void {
  const allowed = [...methods, 'OPTIONS'].join(', ')
  response.setHeader('allow', allowed)
  if (response.hasHeader('access-control-allow-origin') && request.headers['access-control-request-method']) {
    response.setHeader('access-control-allow-methods', allowed)
    response.setHeader('access-control-max-age', preflightSeconds)
    const asked = request.headers['access-control-request-headers']
    if (asked !== undefined) response.setHeader('access-control-allow-headers', asked)
  }
  response.writeHead(204).end()
}
