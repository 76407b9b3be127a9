import { equal, notEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { Struct } from '@flowforge/proto/google/protobuf/struct.ts'
import fc from 'fast-check'
import { structFault } from './check-struct.ts'

const encode = (value: object) => Struct.encode(Struct.wrap(value as Record<string, unknown>)).finish()

test('every encoded Struct is accepted', () => {
  const json = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 5 }))
  fc.assert(fc.property(json, (value) => structFault(encode(value)) === undefined))
})

test('bytes that are accepted can be decoded', () => {
  // Random bytes seldom get far, so encoded Structs are damaged as well.
  const damaged = fc
    .tuple(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(), fc.integer({ min: 0, max: 255 }))
    .map(([value, at, byte]) => {
      const bytes = Uint8Array.from(encode(value))
      if (bytes.length > 0) bytes[at % bytes.length] = byte
      return bytes
    })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), damaged), (bytes) => {
      if (structFault(bytes) === undefined) Struct.decode(bytes)
    }),
    { numRuns: 2000 },
  )
})

test('a cut, a bad string and a bottomless nesting are refused', () => {
  const bytes = encode({ key: 'value' })
  notEqual(structFault(bytes.subarray(0, -1)), undefined)
  const spoiled = Uint8Array.from(bytes)
  spoiled[spoiled.length - 1] = 0xff
  equal(structFault(spoiled), 'has a string that is not UTF-8')
  let deep: object = {}
  for (let i = 0; i < 100; i++) deep = { a: deep }
  equal(structFault(encode(deep)), 'is nested deeper than 64')
})
