import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { advantage, quantile, spread } from './statistics.ts'

test('a spread holds the lowest, the middle and the highest value, whatever their order', () => {
  deepEqual(spread([3, 1, 10]), { min: 1, median: 3, max: 10 })
  deepEqual(spread([4, 2]), { min: 2, median: 3, max: 4 })
  deepEqual(spread([7]), { min: 7, median: 7, max: 7 })
})

test('a quantile lies between its neighbours in proportion', () => {
  const values = [10, 20, 30, 40, 50]
  deepEqual(
    [0, 0.5, 0.99, 1].map((q) => quantile(values, q)),
    [10, 30, 49.6, 50],
  )
  throws(() => quantile([], 0.5), RangeError)
})

test('an advantage above 1 is ours, for rates and for times alike', () => {
  equal(advantage([200], [100], 'higher')?.median, 2)
  equal(advantage([5], [10], 'lower')?.median, 2)
})

test('an advantage compares within rounds, and leaves out rounds that one of them lacks', () => {
  deepEqual(advantage([100, 300, 900], [100, 100, undefined], 'higher'), { min: 1, median: 2, max: 3 })
  equal(advantage([undefined, 1], [1], 'higher'), undefined)
  equal(advantage([0], [1], 'lower'), undefined)
})
