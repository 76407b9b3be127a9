import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { series, type Bucket, type Try } from './series.ts'
import { isSteady, recoveredAfter } from './steady-state.ts'

const good: Bucket = { atMs: 0, widthMs: 500, tries: 25, errors: 0, p50Ms: 5, p95Ms: 20, finished: 25, backlog: 10 }

/** Buckets of 500 ms from a string: `.` is steady, `x` is not. */
function buckets(picture: string): Bucket[] {
  return picture.split('').map((sign, index) => ({ ...good, atMs: index * 500, errors: sign === 'x' ? 1 : 0 }))
}

test('errors, late answers and work that piles up are not the steady state', () => {
  equal(isSteady(good, 50), true)
  equal(isSteady({ ...good, errors: 1 }, 50), false)
  equal(isSteady({ ...good, p95Ms: 501 }, 50), false)
  equal(isSteady({ ...good, backlog: 101 }, 50), false)
  // Nothing was due in that moment.
  equal(isSteady({ ...good, tries: 0, p95Ms: undefined }, 50), true)
})

test('a system has recovered at the moment from which it stays steady', () => {
  equal(recoveredAfter(buckets('..xx....'), 1_000, 50, 1_500), 1_000)
  equal(recoveredAfter(buckets('..x.....x....'), 1_000, 50, 2_000), 3_500)
  equal(recoveredAfter(buckets('......'), 1_000, 50, 1_000), 0)
})

test('a moment of luck is no recovery', () => {
  equal(recoveredAfter(buckets('..xx.x.x'), 1_000, 50, 1_000), undefined)
  equal(recoveredAfter(buckets('..xx.'), 1_000, 50, 1_000), undefined)
})

test('a try belongs to the moment in which it was due, and a slow answer is not forgotten', () => {
  const tries: Try[] = [
    { dueMs: 100, endedMs: 110, status: 'OK' },
    { dueMs: 200, endedMs: 1_400, status: 'OK' },
    { dueMs: 700, endedMs: 720, status: 'UNAVAILABLE' },
  ]
  const cut = series(tries, [900, 1_450], 1_500)
  deepEqual(
    cut.map(({ atMs, tries: due, errors, p95Ms, finished, backlog }) => [atMs, due, errors, p95Ms, finished, backlog]),
    [
      [0, 2, 0, 1_141, 0, 1],
      [500, 1, 1, undefined, 1, 0],
      [1_000, 0, 0, undefined, 1, 0],
    ],
  )
})
