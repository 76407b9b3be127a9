import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { StatusError } from '@flowforge/runtime/status'
import fc from 'fast-check'
import { compileFilter } from './filter.ts'

test('a comparison becomes a condition whose value is a parameter', () => {
  const { sql, values } = compileFilter('type = "it\'s"')
  deepEqual([sql, values], ['type = $1::text', ["it's"]])
  deepEqual(compileFilter('state=TASK_STATE_DEAD').values, [6])
})

test('a filter knows the states that it leaves possible', () => {
  const statesOf = (filter: string) => [...compileFilter(filter).states].join('')
  equal(statesOf('type = a'), '123456')
  equal(statesOf('state = DEAD AND type = a'), '6')
  equal(statesOf('state = DEAD OR state = READY'), '62')
  equal(statesOf('NOT state = DEAD'), '12345')
  equal(statesOf('NOT (state = DEAD AND type = a)'), '123456')
  equal(statesOf('state > RUNNING AND state != DEAD'), '45')
  equal(statesOf('state = DEAD AND state = READY'), '')
})

test('OR binds tighter than AND, and AND may be left out', () => {
  const sql = 'type = $1::text and (type = $2::text or type = $3::text)'
  equal(compileFilter('type = a AND type = b OR type = c').sql, `(${sql})`)
  equal(compileFilter('type = a type = b OR type = c').sql, `(${sql})`)
})

test('NOT and parentheses nest', () => {
  equal(
    compileFilter('NOT (type = a OR -type = b)').sql,
    'not coalesce((type = $1::text or not coalesce(type = $2::text, false)), false)',
  )
})

test('strings may hold escaped quotes', () => {
  deepEqual(compileFilter(String.raw`type = "a\"b\\c"`).values, ['a"b\\c'])
})

test('any text is either compiled, with nothing of it in the SQL, or refused as INVALID_ARGUMENT', () => {
  const words = fc.constantFrom(
    'state',
    'type',
    'queue',
    'labels.x',
    'priority',
    '=',
    '!=',
    '<',
    '(',
    ')',
    'AND',
    'OR',
    'NOT',
    '-',
    '"q;--"',
    'DEAD',
    '3',
    "'s'",
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(words, { maxLength: 12 }).map((list) => list.join(' ')),
      ),
      (text) => {
        try {
          ok(/^[a-z0-9_$:()<>=!, -]*$/.test(compileFilter(text).sql))
        } catch (error) {
          ok(error instanceof StatusError && error.reason === 'INVALID_ARGUMENT')
        }
      },
    ),
    { numRuns: 3000 },
  )
})
