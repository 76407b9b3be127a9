import type { IncomingHttpHeaders } from 'node:http'

/** What a caller says about answers that are kept: `Cache-Control` of a request (RFC 9111, section 5.2.1). */
export interface RequestControl {
  /** Neither answer from what is kept nor keep the answer. */
  readonly noStore: boolean
  /** Do not answer from what is kept. */
  readonly noCache: boolean
  /** Answer from nothing else. */
  readonly onlyIfCached: boolean
  /** The oldest answer that will do. */
  readonly maxAgeMs: number
}

const silent: RequestControl = {
  noStore: false,
  noCache: false,
  onlyIfCached: false,
  maxAgeMs: Number.POSITIVE_INFINITY,
}

/** Reads `Cache-Control`, or `Pragma` of those who know no other; what is not understood does not count. */
export function requestControl(headers: IncomingHttpHeaders): RequestControl {
  const control = headers['cache-control'] ?? (headers.pragma === 'no-cache' ? 'no-cache' : undefined)
  if (control === undefined) return silent
  const directives = new Map(
    control
      .toLowerCase()
      .split(',')
      .map((part) => part.trim().split('=', 2) as [string, string | undefined]),
  )
  const maxAge = /^"?(\d{1,10})"?$/.exec(directives.get('max-age') ?? '')?.[1]
  return {
    noStore: directives.has('no-store'),
    noCache: directives.has('no-cache'),
    onlyIfCached: directives.has('only-if-cached'),
    maxAgeMs: maxAge === undefined ? Number.POSITIVE_INFINITY : Number(maxAge) * 1_000,
  }
}
