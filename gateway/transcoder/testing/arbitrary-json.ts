import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf'
import fc from 'fast-check'

/** Random proto3 JSON that a message type accepts, as JSON.parse would return it. */
export function arbitraryJson(desc: DescMessage, depth = 3): fc.Arbitrary<unknown> {
  const own = wellKnown(desc, depth)
  if (own !== undefined) return own
  const fields = desc.fields.filter((field) => depth > 0 || field.message === undefined)
  const keys = fields.map((field) =>
    fc.record({
      name: fc.constantFrom(field.jsonName, field.name),
      oneof: fc.constant(field.oneof?.name),
      value: fieldJson(field, depth),
    }),
  )
  if (keys.length === 0) return fc.constant({})
  return fc
    .subarray(
      keys.map((_, index) => index),
      { maxLength: Math.min(keys.length, 8) },
    )
    .chain((picked) =>
      picked.length === 0 ? fc.constant({}) : fc.tuple(...picked.map((index) => keys[index]!)).map(asObject),
    )
}

function asObject(entries: { name: string; oneof: string | undefined; value: unknown }[]): Record<string, unknown> {
  const oneofs = new Set<string>()
  const object: Record<string, unknown> = {}
  for (const { name, oneof, value } of entries) {
    if (oneof !== undefined && oneofs.has(oneof)) continue
    if (oneof !== undefined) oneofs.add(oneof)
    object[name] = value
  }
  return object
}

function fieldJson(field: DescField, depth: number): fc.Arbitrary<unknown> {
  const value = valueJson(field, depth)
  if (field.fieldKind === 'list') return fc.array(value, { maxLength: 4 })
  if (field.fieldKind !== 'map') return value
  return fc.dictionary(mapKey(field.mapKey), value, { maxKeys: 4, noNullPrototype: true })
}

function mapKey(type: ScalarType): fc.Arbitrary<string> {
  if (type === ScalarType.STRING) return text
  if (type === ScalarType.BOOL) return fc.constantFrom('true', 'false')
  return fc.integer({ min: 0, max: 1000 }).map(String)
}

const text = fc
  .oneof(
    fc.string(),
    fc.string({ unit: 'grapheme', maxLength: 80 }),
    fc.constantFrom('"":"', '\\":', '__proto__', 'constructor'),
  )
  .filter((value) => value !== '__proto__')

function valueJson(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.message !== undefined) return arbitraryJson(field.message, depth - 1)
  if (field.enum !== undefined) {
    if (field.enum.typeName === 'google.protobuf.NullValue') return fc.constant('NULL_VALUE')
    return fc.constantFrom(...field.enum.values.flatMap((value): (string | number)[] => [value.name, value.number]))
  }
  return scalarJson(field.scalar as ScalarType)
}

function scalarJson(type: ScalarType): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.DOUBLE:
      return fc.oneof(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom('Infinity', '-Infinity', '1.5e3', -0),
      )
    case ScalarType.FLOAT:
      return fc.oneof(fc.float({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom('Infinity', 0.1))
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return fc.oneof(fc.integer(), fc.integer().map(String))
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return fc.integer({ min: 0, max: 4_294_967_295 })
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String), fc.integer())
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String)
    case ScalarType.BOOL:
      return fc.boolean()
    case ScalarType.BYTES:
      return fc
        .tuple(fc.uint8Array(), fc.constantFrom('base64', 'base64url'))
        .map(([bytes, form]) => Buffer.from(bytes).toString(form as 'base64'))
    default:
      return text
  }
}

const seconds = fc.integer({ min: -62_135_596_800, max: 253_402_300_799 })
const fraction = fc.constantFrom('', '.5', '.123', '.123456', '.000000001', '.1200')
const json = fc
  .jsonValue({ noUnicodeString: false })
  .map((value) => JSON.parse(JSON.stringify(value).replaceAll('__proto__', 'proto')) as unknown)

function wellKnown(desc: DescMessage, depth: number): fc.Arbitrary<unknown> | undefined {
  switch (desc.typeName) {
    case 'google.protobuf.Timestamp':
      return fc
        .tuple(seconds, fraction)
        .map(([value, rest]) => `${new Date(value * 1000).toISOString().slice(0, 19)}${rest}Z`)
    case 'google.protobuf.Duration':
      return fc
        .tuple(fc.integer({ min: -315_576_000_000, max: 315_575_999_999 }), fraction)
        .map(([value, rest]) => `${value}${rest}s`)
    case 'google.protobuf.FieldMask':
      return fc.constantFrom('', 'displayName', 'a.bC,d')
    case 'google.protobuf.Struct':
      return fc.dictionary(text, json, { maxKeys: 4, noNullPrototype: true })
    case 'google.protobuf.Value':
      return json.filter((value) => value !== null)
    case 'google.protobuf.ListValue':
      return fc.array(json, { maxLength: 4 })
    case 'google.protobuf.Any':
      return fc.constantFrom<unknown>(
        { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'X', metadata: { a: 'b' } },
        { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1.5s' },
      )
    default:
  }
  if (!/^google\.protobuf\.\w+Value$/.test(desc.typeName) || depth < 0) return undefined
  return scalarJson(desc.fields[0]!.scalar as ScalarType)
}
