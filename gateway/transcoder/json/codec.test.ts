import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  createFileRegistry,
  equals,
  fromBinary,
  fromJson,
  toBinary,
  type FileRegistry,
  type JsonValue,
} from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { arbitraryJson } from '../testing/arbitrary-json.ts'
import { exampleRegistry } from '../testing/example.ts'
import { arbitraryDescriptors } from '../testing/arbitrary-descriptors.ts'
import { JsonCodec } from './codec.ts'
import { InexactNumber, JsonViolation } from './violation.ts'

const example = exampleRegistry()

/** Compares our codec with protobuf-es, both ways, on random messages of one type. */
function agreesWithReference(registry: FileRegistry, typeName: string, numRuns: number): void {
  const desc = registry.getMessage(typeName)!
  const codec = new JsonCodec(registry)
  const encode = codec.encoder(desc)
  const decode = codec.decoder(desc)
  fc.assert(
    fc.property(arbitraryJson(desc), (json) => {
      // Through the wire once, for a float keeps the digits of a double until it is written.
      const read = (value: JsonValue) => fromBinary(desc, toBinary(desc, fromJson(desc, value, { registry })))
      const reference = read(json as JsonValue)
      const wire = encode(json)
      ok(
        equals(desc, fromBinary(desc, wire), reference, { registry, unpackAny: true }),
        'what we encode is what the reference encodes',
      )
      const text = decode(toBinary(desc, reference))
      const again = read(JSON.parse(text) as JsonValue)
      ok(equals(desc, again, reference, { registry, unpackAny: true }), `the reference reads what we decode: ${text}`)
      equal(
        decode(wire),
        decode(encode(JSON.parse(decode(wire)))),
        'decoding, encoding and decoding again changes nothing',
      )
    }),
    { numRuns },
  )
}

test('random messages of every field type survive JSON → wire → JSON, as the reference reads them', () => {
  agreesWithReference(example, 'example.v1.Everything', 2000)
})

test('random messages of random descriptors survive the same', () => {
  fc.assert(
    fc.property(arbitraryDescriptors(example), (registry) => {
      for (const type of registry)
        if (type.kind === 'message' && type.typeName.startsWith('random.'))
          agreesWithReference(registry, type.typeName, 10)
    }),
    { numRuns: 25 },
  )
})

test('random messages of every FlowForge request and answer survive the same', () => {
  const bytes = readFileSync(new URL(import.meta.resolve('@flowforge/proto/descriptors.binpb')))
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes))
  for (const type of registry) {
    if (type.kind !== 'message' || !type.typeName.startsWith('flowforge.') || type.proto.options?.mapEntry) continue
    agreesWithReference(registry, type.typeName, 40)
  }
})

const everything = example.getMessage('example.v1.Everything')!
const codec = new JsonCodec(example)
const encode = codec.encoder(everything)
const decode = codec.decoder(everything)

for (const [given, canonical] of [
  ['{"anInt64":1}', '{"anInt64":"1"}'],
  ['{"an_int64":"-9223372036854775808"}', '{"anInt64":"-9223372036854775808"}'],
  ['{"anInt32":1e3,"aUint32":"7"}', '{"anInt32":1000,"aUint32":7}'],
  ['{"aFloat":0.1,"aDouble":"-Infinity"}', '{"aDouble":"-Infinity","aFloat":0.1}'],
  ['{"aDouble":"NaN"}', '{"aDouble":"NaN"}'],
  ['{"aDouble":-0.0}', '{"aDouble":-0}'],
  ['{"someBytes":"-_8"}', '{"someBytes":"+/8="}'],
  ['{"genre":2,"genres":["GENRE_NOVEL",99]}', '{"genre":"GENRE_POETRY","genres":["GENRE_NOVEL",99]}'],
  ['{"maybe":0,"anInt32":0,"aString":""}', '{"maybe":0}'],
  ['{"text":""}', '{"text":""}'],
  ['{"nothing":null}', '{"nothing":null}'],
  ['{"value":null,"nested":null}', '{"value":null}'],
  ['{"time":"2026-01-31T13:00:00.10+01:00"}', '{"time":"2026-01-31T12:00:00.100Z"}'],
  ['{"time":"0001-01-01T00:00:00Z","duration":"-0.5s"}', '{"time":"0001-01-01T00:00:00Z","duration":"-0.500s"}'],
  ['{"mask":"displayName,a.bC"}', '{"mask":"displayName,a.bC"}'],
  ['{"struct":{"b":1,"a":[null,{"c":"d"}]}}', '{"struct":{"b":1,"a":[null,{"c":"d"}]}}'],
  [
    '{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}}',
    '{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}}',
  ],
  ['{"wrappedLong":"5","wrappedBool":false}', '{"wrappedLong":"5","wrappedBool":false}'],
  ['{"byName":{"a\\":b":1},"byBool":{"true":1}}', '{"byName":{"a\\":b":"1"},"byBool":{"true":"GENRE_NOVEL"}}'],
] as const) {
  test(`${given} is canonically ${canonical}`, () => {
    equal(decode(encode(JSON.parse(given))), canonical)
  })
}

for (const [given, path, description] of [
  ['{"nested":{"noSuch":1}}', 'nested.noSuch', 'there is no such field'],
  ['{"nested":{"ints":[1,"x"]}}', 'nested.ints[1]', '"x" is not an integer'],
  ['{"authors":[{},{"birthYear":2147483648}]}', 'authors[1].birth_year', '2147483648 is out of range'],
  ['{"byNumber":{"1":{"fullName":5}}}', 'by_number["1"].full_name', 'expected a string, got a number'],
  ['{"byNumber":{"x":{}}}', 'by_number["x"]', '"x" is not an integer'],
  ['{"text":"a","number":"1"}', 'number', 'only one field of choice can be set'],
  ['{"aBool":true,"a_bool":false}', 'a_bool', 'given twice, as a_bool and as aBool'],
  ['{"genre":"GENRE_OPERA"}', 'genre', '"GENRE_OPERA" is not a Genre'],
  ['{"time":"2026-02-30T00:00:00Z"}', 'time', 'the timestamp names a time that does not exist'],
  ['{"time":"yesterday"}', 'time', 'expected a timestamp such as "2027-01-31T12:00:00Z"'],
  ['{"duration":"5"}', 'duration', 'expected a duration in seconds such as "1.5s"'],
  ['{"someBytes":"*"}', 'some_bytes', 'the string is not base64'],
  ['{"aString":"\\ud800"}', 'a_string', 'the string holds half a surrogate pair'],
  ['{"ints":[null]}', 'ints[0]', 'null is not a value here'],
  ['{"any":{"@type":"a/no.Such"}}', 'any.@type', 'there is no such message type'],
  ['{"wrappedBool":"true"}', 'wrapped_bool', 'expected true or false, got a string'],
  ['[]', '', 'expected an object, got an array'],
] as const) {
  test(`${given} is refused at ${path === '' ? 'the top' : path}: ${description}`, () => {
    throws(
      () => encode(JSON.parse(given)),
      (error) => {
        ok(error instanceof JsonViolation)
        deepEqual([error.path, error.description], [path, description])
        return true
      },
    )
  })
}

test('JSON nested too deeply is refused, whatever nests', () => {
  const deep = (open: string, close: string) => JSON.parse(`${open.repeat(5000)}${close.repeat(5000)}`) as unknown
  throws(() => encode({ value: deep('[', ']') }), JsonViolation)
  throws(() => encode({ struct: { a: deep('[', ']') } }), JsonViolation)
  throws(() => encode(JSON.parse(`${'{"nested":'.repeat(5000)}{}${'}'.repeat(5000)}`)), JsonViolation)
})

test('a 64-bit integer that lost digits in JSON.parse is never guessed', () => {
  throws(() => encode({ anInt64: 2 ** 53 }), InexactNumber)
  equal(decode(encode({ anInt64: 9007199254740993n })), '{"anInt64":"9007199254740993"}')
})

test('a message that comes in two halves on the wire is merged, and the last of a oneof wins', () => {
  const halves = Buffer.concat([encode({ author: { fullName: 'Ada' } }), encode({ author: { birthYear: 1815 } })])
  equal(decode(halves), '{"author":{"fullName":"Ada","birthYear":1815}}')
  equal(decode(Buffer.concat([encode({ text: 'a' }), encode({ number: '5' })])), '{"number":"5"}')
})

test('random bytes are decoded or refused, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        JSON.parse(decode(bytes))
      } catch (error) {
        ok(error instanceof Error && ['WireError', 'RangeError'].includes(error.name), String(error))
      }
    }),
    { numRuns: 20_000 },
  )
})

test('random JSON is encoded or refused with its path, never anything else', () => {
  const names = everything.fields.flatMap((field) => [field.name, field.jsonName])
  const near = fc.dictionary(
    fc.constantFrom(...names),
    fc.oneof(fc.jsonValue(), fc.constantFrom(1e308, -1, '', '0x1', '1e999', 2 ** 60)),
  )
  fc.assert(
    fc.property(fc.oneof(near, fc.jsonValue()), (json) => {
      try {
        decode(encode(json))
      } catch (error) {
        ok(error instanceof JsonViolation || error instanceof InexactNumber, String(error))
      }
    }),
    { numRuns: 20_000 },
  )
})
