import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ConnectionError } from './frames.ts'
import { encodeHeaders, HeaderDecoder } from './hpack.ts'
import { decodeHuffman } from './huffman.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

test('the answers of RFC 7541, C.6 are decoded, their table evicting as it goes', () => {
  const decoder = new HeaderDecoder(16_384)
  deepEqual(decoder.decode(hex('3fe1 01')), [], 'a table of 256 bytes')
  const first = decoder.decode(
    hex(
      '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
    ),
  )
  deepEqual(first, [
    ':status',
    '302',
    'cache-control',
    'private',
    'date',
    'Mon, 21 Oct 2013 20:13:21 GMT',
    'location',
    'https://www.example.com',
  ])
  deepEqual(decoder.decode(hex('4883 640e ffc1 c0bf')), [':status', '307', ...first!.slice(2)])
  const third = decoder.decode(
    hex(
      '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
    ),
  )
  deepEqual(third!.slice(0, 4), [':status', '200', 'cache-control', 'private'])
  equal(third!.at(-1), 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1')
})

test('what we encode is decoded to the same, whatever its length', () => {
  const text = fc.string({ unit: 'binary-ascii', maxLength: 400 })
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { maxLength: 6 }), (pairs) => {
      deepEqual(new HeaderDecoder(16_384).decode(encodeHeaders(pairs.flat())), pairs.flat())
    }),
  )
})

test('a block that comes again is decoded once, until the table says that it means something else', () => {
  const decoder = new HeaderDecoder(16_384)
  const [one, other] = ['one', 'other'].map((value) => encodeHeaders(['name', value]))
  const inserted = (value: string) => Buffer.concat([Buffer.of(0x40), encodeHeaders(['name', value]).subarray(1)])
  const newest = Buffer.of(0x80 | 62)
  const first = decoder.decode(one!)
  deepEqual(decoder.decode(other!), ['name', 'other'])
  equal(decoder.decode(Buffer.from(one!)), first)
  for (const value of ['a', 'b', 'b']) {
    deepEqual(decoder.decode(inserted(value)), ['name', value])
    deepEqual(decoder.decode(newest), ['name', value])
    equal(decoder.decode(newest), decoder.decode(newest))
  }
  for (const n of Array.from({ length: 9 }).keys())
    deepEqual(decoder.decode(encodeHeaders(['n', String(n)])), ['n', String(n)])
  deepEqual(decoder.decode(one!), ['name', 'one'])
})

test('random bytes are decoded or refused as what they are, and the table stays within its bound', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }), (blocks) => {
      const decoder = new HeaderDecoder(16_384)
      for (const block of blocks) {
        try {
          decoder.decode(Buffer.from(block))
        } catch (error) {
          if (!(error instanceof ConnectionError)) throw error
        }
      }
    }),
    { numRuns: 2_000 },
  )
})

for (const [what, block] of [
  ['index 0', '80'],
  ['an entry that is not there', 'be'],
  ['an integer without end', 'ffffffffffffff'],
  ['a string longer than the block', '0005 61'],
  ['a table larger than was offered', '3fe2 1f'],
  ['half a Huffman code', '00 01 61 81 00'],
] as const) {
  test(`${what} is refused`, () => {
    throws(() => new HeaderDecoder(16_384).decode(hex(block)), ConnectionError)
  })
}

test('a small block that names a large entry again and again is refused', () => {
  const decoder = new HeaderDecoder(16_384)
  const entry = Buffer.concat([hex('40 01 61 7f 81 1e'), Buffer.alloc(4_000, 'x')])
  decoder.decode(entry.subarray(0, 6 + 127 + 0x81 - 128 + 0x1e * 128))
  equal(decoder.decode(Buffer.alloc(1_000, 0xbe)), undefined)
})

test('every byte has its Huffman code, and padding of eight bits or more is refused', () => {
  equal(decodeHuffman(hex('f1e3 c2e5 f23a 6ba0 ab90 f4ff')), 'www.example.com')
  equal(decodeHuffman(hex('ff')), undefined)
  equal(decodeHuffman(hex('1f ff')), undefined)
})
