import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { parseExactly, parseJson } from './parse.ts'
import { JsonViolation } from './violation.ts'

const fieldsOf = (count: number, prefix = 'f'): string =>
  Array.from({ length: count }, (_, index) => `"${prefix}${index}":1`).join()

/** CPU time of this process, which a busy machine does not lengthen as it does a clock's; the best of a few. */
function cpuMs(act: () => unknown): number {
  const times = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage()
    act()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000
  })
  return Math.min(...times)
}

for (const [what, text] of [
  ['200,000 fields in one object', `{${fieldsOf(200_000)}}`],
  [
    '4 MB of objects that all have other fields',
    `[${Array.from({ length: 3_000 }, (_, index) => `{${fieldsOf(100, `${index}_`)}}`).join()}]`,
  ],
  ['names that begin with escaped quotes', `{${fieldsOf(100_000, '\\"\\"')}}`],
] as const) {
  test(`${what} are refused within 50 ms of work`, () => {
    throws(() => parseJson(text), JsonViolation)
    const ms = cpuMs(() => throws(() => parseJson(text), JsonViolation))
    ok(ms < 50, `${ms} ms`)
  })
}

test('the same names again and again are no matter of the bound, nor are colons in strings', () => {
  const item = { name: 'a:b', 'x"y': '\\', 'back\\': ':', list: ['a', ':', '"'], nested: { name: 1 } }
  const items = Array.from({ length: 20_000 }, () => item)
  deepEqual(parseJson(JSON.stringify(items)), items)
  equal(Object.keys(parseJson(`{${fieldsOf(10_000, 'with some length ')}}`) as object).length, 10_000)
})

test('text that is no JSON is a SyntaxError, however long', () => {
  for (const text of ['{', `"${'\\"'.repeat(100_000)}`, `{${'"a" '.repeat(100_000)}`, '"'.repeat(100_001)])
    throws(() => parseJson(text), SyntaxError)
})

test('digits beyond 2^53 are kept in a body of ordinary size, and refused where looking for them takes long', () => {
  deepEqual(parseExactly('{"a":9007199254740993,"b":1.5,"c":1}'), { a: 9_007_199_254_740_993n, b: 1.5, c: 1 })
  const long = (count: number): string => `[9007199254740993${',1'.repeat(count)}]`
  throws(() => parseExactly(long(2_000_000)), /have to be in quotes/)
  const ms = cpuMs(() => parseExactly(long(60_000)))
  ok(ms < 100, `${ms} ms`)
})
