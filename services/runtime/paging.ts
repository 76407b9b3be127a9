import { decodePageToken, encodePageToken } from './page-token.ts'
import { invalidArgument } from './status.ts'
import type { Page, PageRequest } from './page.ts'

/** What a list continues after: a row's number, bounded so that PostgreSQL can read it, or an id. */
const keys = { number: /^\d{1,18}$/, id: /^[a-z0-9-]{1,63}$/ }

const pageSizeMax = 1_000
const pageSizeDefault = 50

/** The page size that a request gets: 50 if unset, 1,000 at most (AIP-158); a negative one is refused as INVALID_ARGUMENT. */
export function pageSizeOf(pageSize: number): number {
  if (pageSize < 0) throw invalidArgument({ field: 'page_size', description: 'must not be negative' })
  return Math.min(pageSize || pageSizeDefault, pageSizeMax)
}

/**
 * Reads which page a List request asks for. `scope` is what else it asks, which must stay the same from page to page.
 *
 * A larger `page_size` is cut to the maximum; a negative one and a foreign token are refused as INVALID_ARGUMENT.
 */
export function readPage(
  request: { pageSize: number; pageToken: string },
  scope: unknown,
  key: keyof typeof keys = 'number',
): PageRequest {
  const size = pageSizeOf(request.pageSize)
  const after = decodePageToken(request.pageToken, scope)
  if (after !== undefined && (typeof after !== 'string' || !keys[key].test(after))) {
    throw invalidArgument({ field: 'page_token', description: 'is not a token of this API' })
  }
  return { size, after }
}

/** Writes the token of the page after this one; empty on the last. */
export function nextPageToken(page: Page<unknown>, scope: unknown): string {
  return page.next === undefined ? '' : encodePageToken(page.next, scope)
}
