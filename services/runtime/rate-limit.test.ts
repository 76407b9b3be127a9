import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { assert, integer, nat, property, array } from 'fast-check'
import { rateLimit } from './rate-limit.ts'

test('one second’s worth is let through at once, then one call a period', () => {
  const limit = rateLimit({ requestsPerSecond: 5, perIdentity: undefined })
  const at = (ms: number) => limit.take('a', ms) === undefined
  deepEqual([0, 0, 0, 0, 0, 0].map(at), [true, true, true, true, true, false])
  deepEqual([199, 200, 200, 400, 401].map(at), [false, true, false, true, false])
})

test('a refused call learns when there is room again, and then there is', () => {
  const limit = rateLimit({ requestsPerSecond: 1, perIdentity: undefined })
  equal(limit.take('a', 10), undefined)
  deepEqual(limit.take('a', 260), { scope: 'total', waitMs: 750 })
  equal(limit.take('a', 1010), undefined)
})

test('an identity’s refused calls use up the total, as in Linkerd', () => {
  const limit = rateLimit({ requestsPerSecond: 20, perIdentity: 5 })
  const scopes = Array.from({ length: 60 }, () => limit.take('gateway', 0)?.scope ?? 'ok')
  const count = (scope: string) => scopes.filter((one) => one === scope).length
  // Seen on a real mesh: 5 pass, 15 are over the identity's limit, 40 over the total.
  deepEqual([count('ok'), count('identity'), count('total')], [5, 15, 40])
})

test('whatever the arrivals, a window never sees more than its rate and one burst', () => {
  assert(
    property(integer({ min: 1, max: 50 }), array(nat(300), { maxLength: 400 }), (perSecond, gaps) => {
      const limit = rateLimit({ requestsPerSecond: perSecond, perIdentity: undefined })
      let now = 0
      const passed = gaps.filter((gap) => limit.take('a', (now += gap)) === undefined).length
      ok(passed <= perSecond + Math.floor((now / 1_000) * perSecond) + 1)
    }),
  )
})
