import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodePageToken, encodePageToken } from './page-token.ts'

const scope = { parent: 'projects/p', filter: 'state = DEAD' }

test('any cursor comes back from its token', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (cursor, anyScope) => {
      const token = encodePageToken(cursor, anyScope)
      deepEqual(decodePageToken(token, anyScope), JSON.parse(JSON.stringify(cursor)))
    }),
  )
})

test('a token holds for its own question only', () => {
  const token = encodePageToken(['cursor'], scope)
  deepEqual(decodePageToken(token, { ...scope }), ['cursor'])
  throws(() => decodePageToken(token, { ...scope, filter: '' }), {
    reason: 'INVALID_ARGUMENT',
    message: /^page_token: /,
  })
  deepEqual(decodePageToken(encodePageToken(1, { id: 5n }), { id: 5n }), 1)
})

test('whatever a client makes up is refused as INVALID_ARGUMENT and never as anything else', () => {
  const made = encodePageToken(['cursor'], scope)
  const damaged = fc.integer({ min: 0, max: made.length }).map((length) => made.slice(0, length))
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String(), damaged), (token) => {
      if (token === '' || token === made) return
      throws(() => decodePageToken(token, scope), { reason: 'INVALID_ARGUMENT' })
    }),
  )
})

test('no token is the first page', () => equal(decodePageToken('', scope), undefined))
