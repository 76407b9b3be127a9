import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonValue } from '@flowforge/sdk/client-resources'
import { wellKnownTypes } from './well-known-types.ts'

function thereAndBack(type: string, json: JsonValue): JsonValue | undefined {
  const known = wellKnownTypes[`.google.protobuf.${type}`]
  return known?.toJson(known.toMessage(json, 'field') as object)
}

for (const [type, json] of [
  ['Timestamp', '1970-01-01T00:00:00Z'],
  ['Timestamp', '2030-01-31T08:00:00.120Z'],
  ['Timestamp', '2030-01-31T08:00:00.000001Z'],
  ['Timestamp', '1969-12-31T23:59:59.999999999Z'],
  ['Duration', '0s'],
  ['Duration', '-0.500s'],
  ['Duration', '3600.000000001s'],
  ['FieldMask', 'timeZone,task'],
  ['Value', null],
  ['Value', [0, -0.5, '', false, [], {}]],
] as const) {
  test(`${type} ${JSON.stringify(json)} is the same there and back`, () =>
    deepEqual(thereAndBack(type, json as JsonValue), json))
}

test('an instant may be told in another time zone or with fewer digits', () => {
  equal(thereAndBack('Timestamp', '2030-01-31T09:00:00.5+01:00'), '2030-01-31T08:00:00.500Z')
})

test('a key of a payload may have any name', () => {
  const payload = JSON.parse('{"__proto__": {"a": 1}, "": null, "constructor": "c"}') as JsonValue
  equal(JSON.stringify(thereAndBack('Struct', payload)), JSON.stringify(payload))
})

for (const [type, json] of [
  ['Timestamp', '2030-01-31 08:00'],
  ['Timestamp', 1_700_000_000],
  ['Duration', '1.5'],
  ['Duration', '1.0000000001s'],
  ['FieldMask', ['task']],
  ['Struct', 'text'],
  ['Any', { '@type': 'x' }],
] as const) {
  test(`${type} ${JSON.stringify(json)} is refused`, () => {
    throws(() => thereAndBack(type, json as unknown as JsonValue), { status: 'INVALID_ARGUMENT', message: /^field / })
  })
}
