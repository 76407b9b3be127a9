/** Page tokens that cannot be carried over to another question. */
import { createHash } from 'node:crypto'
import { invalidArgument, type StatusError } from './status.ts'

/**
 * A token for the page after `cursor`, any JSON value.
 *
 * `scope` is the request's other fields (parent, filter, order, …): the token holds for this question only.
 */
export function encodePageToken(cursor: unknown, scope: unknown): string {
  return Buffer.from(JSON.stringify([scopeHash(scope), cursor])).toString('base64url')
}

/**
 * The cursor of a token, or undefined for the first page (an empty token).
 *
 * Refused as INVALID_ARGUMENT on `page_token` when the token is not one of ours or belongs to another question. A token
 * is not signed: treat the cursor as input.
 */
export function decodePageToken<T = unknown>(token: string, scope: unknown): T | undefined {
  if (token === '') return undefined
  const [hash, cursor] = parse(token)
  if (hash !== scopeHash(scope)) throw violation('belongs to another request; keep the other fields as they were')
  return cursor as T
}

function parse(token: string): [hash: unknown, cursor: unknown] {
  if (!/^[A-Za-z0-9_-]+$/.test(token)) throw violation('is not a token of this API')
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    if (Array.isArray(value) && value.length === 2) return [value[0], value[1]]
  } catch {
    // Falls through: whatever it is, it is not ours.
  }
  throw violation('is not a token of this API')
}

function violation(description: string): StatusError {
  return invalidArgument({ field: 'page_token', description })
}

function scopeHash(scope: unknown): string {
  const text = JSON.stringify(scope, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)) ?? ''
  return createHash('sha256').update(text).digest('base64url').slice(0, 16)
}
