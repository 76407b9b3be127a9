/** What fuzzing begins with. */
import type { FileRegistry, JsonValue } from '@bufbuild/protobuf'
import { fromJson } from '@bufbuild/protobuf'

const everything: JsonValue = {
  aDouble: 1.5,
  aFloat: 'NaN',
  anInt32: -7,
  anInt64: '9007199254740993',
  aUint64: '18446744073709551615',
  aSint32: -1,
  aFixed64: '5',
  aBool: true,
  aString: 'text "quoted" ä€😀',
  someBytes: 'AAH/',
  genre: 'GENRE_NOVEL',
  nested: { aString: 'deep', nested: { ints: [1, 2, 3] } },
  maybe: 0,
  text: 'one of',
  ints: [1, 2, 3],
  longs: ['1', '-2'],
  strings: ['a', 'b'],
  genres: ['GENRE_NOVEL', 2],
  authors: [{ fullName: 'A', birthYear: 1900 }],
  byName: { a: '1' },
  byNumber: { '5': { fullName: 'B' } },
  byBool: { true: 'GENRE_POETRY' },
  time: '2030-01-02T03:04:05.123456789Z',
  duration: '-1.5s',
  mask: 'aString,nested.text',
  struct: { a: [1, null, { b: true }], c: 'd' },
  value: [1, 'two'],
  list: [{}],
  any: { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1s' },
  wrappedLong: '5',
  wrappedBool: true,
  wrappedString: '',
  wrappedBytes: 'AA==',
}

export const bodies: readonly string[] = [
  JSON.stringify(everything),
  '{"title":"t","pageCount":"5","labels":{"a":"b"},"author":{"full_name":"x"}}',
  '{"struct":{"a":{"b":{"c":[[[[1]]]]}}}}',
  '',
  '[]',
]

export const urls: readonly string[] = [
  '/v1/echo',
  '/v1/echo?a_double=1.5&nested.aString=x&ints=1&ints=2&time=2030-01-02T03:04:05Z&duration=1s&genre=2&some_bytes=AA',
  '/v1/shelves/1/books/2',
  '/v1/shelves/1/books/2:move',
  '/v1/shelves/1/books?page_size=5&genre=GENRE_NOVEL',
  '/v1/shelves/1/books?request_id=x',
  '/v1/files/a/b%2Fc/d:raw',
  '/v1/books/%E2%82%AC',
]

/** Text that parsers trip over. */
export const pieces: readonly string[] = [
  '%',
  '%2F',
  '%ff',
  '%C3',
  '/',
  '//',
  ':',
  '&',
  '=',
  '?',
  '..',
  'nested.',
  '{',
  '}',
  '[',
  ']',
  '"',
  '\\',
  '\\ud800',
  '\u0000',
  'null',
  '1e999',
  '-0',
  '9'.repeat(400),
  `${'['.repeat(500)}`,
  `${'{"nested":'.repeat(300)}`,
  `${'{"struct":{"a":'.repeat(200)}`,
  'nested.'.repeat(200),
  '1'.repeat(8_000),
  ' '.repeat(8_000),
  '0.'.repeat(2_000),
  '__proto__',
  'constructor',
  'toString',
  '"__proto__":{"a":1},',
  '@type',
  manyNames(11_000),
]

/** Objects that all have other fields, which is what costs a parser most. */
function manyNames(count: number): string {
  const objects = Array.from({ length: count / 100 }, (_, object) => {
    const fields = Array.from({ length: 100 }, (_, field) => `"${object}_${field}":${field}`)
    return `"o${object}":{${fields.join()}}`
  })
  return `"struct":{${objects.join()}},`
}

/** Messages that are right. */
export function answers(registry: FileRegistry) {
  const desc = registry.getMessage('example.v1.Everything')!
  return [everything, {}, { struct: { a: [[[[{ b: {} }]]]] } }].map((json) => fromJson(desc, json, { registry }))
}
