import { deepEqual, equal } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { startTestTasks, type TestTasks } from '../testing/tasks-service.ts'
import * as arrays from './binary-array.ts'

let service: TestTasks
before(async () => {
  service = await startTestTasks()
})
after(() => service.stop())

/** What PostgreSQL makes of an array. */
async function stored<T>(type: string, array: Buffer | null): Promise<T[] | null> {
  const { rows } = await service.pool.query(`select $1::${type}[] as array`, [array])
  return rows[0].array
}

async function arrives<T>(type: string, write: (values: (T | null)[]) => Buffer | null, values: fc.Arbitrary<T>) {
  const lists = fc.array(fc.option(values), { minLength: 1, maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(lists, async (list) => {
      deepEqual(await stored(type, write(list)), list.every((value) => value === null) ? null : list)
    }),
    { numRuns: 30 },
  )
}

test('each kind of value arrives as it was, and nulls among them', async () => {
  const long = fc.string({ unit: 'binary', minLength: 60, maxLength: 200 })
  const text = fc
    .oneof(fc.string(), fc.string({ unit: 'binary' }), long)
    .filter((value) => value.isWellFormed() && !value.includes('\0'))
  await arrives('text', arrays.textArray, text)
  await arrives(
    'bytea',
    arrays.byteaArray,
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  )
  await arrives('uuid', arrays.uuidArray, fc.uuid())
  await arrives('smallint', arrays.int2Array, fc.integer({ min: -32_768, max: 32_767 }))
  await arrives('integer', arrays.int4Array, fc.integer())
  // The driver reads them as text.
  await arrives(
    'bigint',
    (values) => arrays.int8Array(values, (value) => (value === null ? null : BigInt(value))),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  )
  await arrives('boolean', arrays.boolArray, fc.boolean())
  const years = { min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }
  await arrives('timestamptz', arrays.timestamptzArray, fc.date(years))
  await arrives(
    'jsonb',
    (values) => arrays.jsonbArray(values, (value) => value && JSON.stringify(value)),
    fc.dictionary(
      text.filter((key) => key !== '__proto__'),
      text,
      { noNullPrototype: true },
    ),
  )
})

test('a column that nobody uses is no array', () => {
  equal(arrays.textArray([null, null]), null)
})
