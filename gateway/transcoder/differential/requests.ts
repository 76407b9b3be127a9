/** Random HTTP requests for a method: most fit its rule, some do not. */
import type { Random } from './random.ts'
import type { Method, Piece } from './templates.ts'

export interface ProbeRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly body: string | undefined
  /** Of the method that it is made for. */
  readonly rule: Method
}

const words = ['a', 'Book-7', 'x_y', 'ä€', 'two words', '100%', 'a+b', 'q?r', 'a&b', "o'k", '~t', 'z.z', '1', '-5', '0']
const slashed = ['a/b', 'a%b', 'c:d', 'e#f', '[g]', '@h', 'i,j;k=l']

const values: Record<string, readonly string[]> = {
  text: ['', 'plain', 'two words', 'ä€😀', 'a&b=c', '+'],
  number: ['0', '7', '-7', '2147483647', '2147483648', '1.0', '1.5', '1e2', 'x', '', '0x10', '1_000', '007', '+3'],
  long: ['0', '9007199254740993', '-9223372036854775808', '9223372036854775808', 'x', '1e3'],
  unsigned_long: ['18446744073709551615', '-1', '5'],
  truth: ['true', 'false', '1', '0', 'TRUE', 't', 'yes', ''],
  real: ['1.5', 'NaN', 'Infinity', '-Infinity', '1e400', 'x', '0x1p4', '.5', 'inf'],
  single: ['1.5', '1e39', 'nan'],
  data: ['AAH_', 'AAH/', 'AA==', 'AA', 'A', '!!', ''],
  genre: ['GENRE_NOVEL', '2', '99', 'novel', '', '-1'],
  genres: ['GENRE_NOVEL', '2', 'novel'],
  some_numbers: ['1', '2', 'x'],
  strings: ['', 'a', 'a,b', 'ä'],
  create_time: [
    '2030-01-02T03:04:05Z',
    '2030-01-02T03:04:05.123456789+02:00',
    '2030-01-02',
    'x',
    '0001-01-01T00:00:00Z',
  ],
  duration: ['1.5s', '-3s', '1h', 'x', '0.000000001s'],
  update_mask: ['text', 'some_numbers,nested.text', 'someNumbers', '', 'a..b'],
  wrapped_text: ['hello', ''],
  wrapped_long: ['5', 'x'],
  maybe: ['0', '5'],
  this_one: ['a'],
  that_one: ['5'],
  struct: ['{}', 'x'],
  'labels[a]': ['b'],
  unknown: ['x'],
  'nested.unknown': ['x'],
}
const names = Object.keys(values)

/** A request that the method's rule may match. */
export function randomRequest(random: Random, rule: Method): ProbeRequest {
  const method = random.chance(0.03) ? random.pick(['GET', 'POST', 'DELETE', 'PUT', 'PATCH']) : rule.verb.toUpperCase()
  const path = pathFor(random, rule)
  const query = random.chance(rule.body === '*' ? 0.1 : 0.5) ? queryFor(random) : ''
  const sendsBody = method !== 'GET' && method !== 'DELETE' && (rule.body !== '' || random.chance(0.05))
  return { method, url: path + query, body: sendsBody ? bodyFor(random, rule) : undefined, rule }
}

function pathFor(random: Random, { pieces, custom }: Method): string {
  let path = `/${pieces.map((piece) => textFor(random, piece)).join('/')}`
  if (custom !== undefined) path += `:${random.chance(0.05) ? 'other' : custom}`
  else if (random.chance(0.03)) path += ':other'
  if (random.chance(0.02)) path += '/'
  if (random.chance(0.02)) path += '/more'
  return path
}

function textFor(random: Random, piece: Piece): string {
  if ('literal' in piece) return piece.literal
  if ('variable' in piece && piece.pattern === '*' && !piece.variable.endsWith('text')) {
    return encodeURIComponent(random.pick(values[piece.variable.split('.').at(-1)!]!.filter((value) => value !== '')))
  }
  return piece.pattern
    .split('/')
    .map((segment) => {
      if (segment === '**') return random.times(random.integer(0, 3), () => segmentFor(random)).join('/')
      return segment === '*' ? segmentFor(random) : segment
    })
    .join('/')
}

function segmentFor(random: Random): string {
  if (random.chance(0.01)) return random.pick(['%', '%zz', '%ff'])
  return encodeURIComponent(random.chance(0.15) ? random.pick(slashed) : random.pick(words))
}

function queryFor(random: Random): string {
  const pairs = random.times(random.integer(1, 3), () => {
    const name = random.pick(names)
    const value = random.pick(values[name]!)
    const camel = random.chance(0.3) ? name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) : name
    const prefixed = random.chance(0.15) ? `nested.${camel}` : camel
    const separator = random.chance(0.97) ? '=' : ''
    return encodeURIComponent(prefixed) + separator + (separator && encodeURIComponent(value))
  })
  return `?${pairs.join('&')}`
}

/** Texts of JSON values, right and wrong, of each field. */
const jsonValues: Record<string, readonly string[]> = {
  text: ['"plain"', '"ä\\u20ac"', '""', 'null', '5', '"\\ud800"'],
  number: ['7', '-7', '"7"', '1.0', '1e2', '1.5', '2147483648', '"1e1"', 'null', 'true'],
  long: ['"9007199254740993"', '9007199254740993', '5', '"x"', '"-9223372036854775808"'],
  unsignedLong: ['"18446744073709551615"', '-1', '18446744073709551615'],
  truth: ['true', 'false', '"true"', 'null'],
  real: ['1.5', '"NaN"', '"Infinity"', '1e400', '"1.5"', '-0', '"x"'],
  single: ['1.5', '1e39', '"-Infinity"'],
  data: ['"AAH_"', '"AAH/"', '"AA=="', '"A"', '""', '5'],
  genre: ['"GENRE_NOVEL"', '2', '99', '"novel"', 'null'],
  genres: ['["GENRE_NOVEL",2]', '[]', 'null', '[null]'],
  nested: ['{}', '{"text":"deep"}', 'null', '[]', '{"unknown":1}'],
  strings: ['["a","b"]', '[]', 'null', '"a"', '[null]'],
  some_numbers: ['[1,2]', '["3"]', '[1.5]'],
  someNumbers: ['[1,2]'],
  createTime: ['"2030-01-02T03:04:05Z"', '"2030-01-02T03:04:05.120+02:00"', '"x"', '"10000-01-01T00:00:00Z"', 'null'],
  duration: ['"1.5s"', '"-3.000000001s"', '"1"', '"1m"', 'null'],
  updateMask: ['"text,nested.text"', '""', '"someNumbers"', '"some_numbers"', 'null'],
  wrappedText: ['"x"', '""', 'null'],
  wrappedLong: ['"5"', '5', 'null'],
  struct: ['{"a":[1,null,{"b":true}]}', '{}', 'null', '5'],
  labels: ['{"a":"b"}', '{}', '{"a":5}', 'null', '{"a":null}'],
  maybe: ['0', '5', 'null'],
  thisOne: ['"a"', 'null'],
  thatOne: ['5'],
  unknown: ['1'],
}
const jsonNames = Object.keys(jsonValues)

function bodyFor(random: Random, { body }: Method): string {
  if (random.chance(0.03)) return random.pick(['', ' ', '{', '[]', 'null', '"x"', '{"text":"a"', '{"text":"a"} x', '5'])
  if (body === 'text') return random.pick(jsonValues['text']!)
  return jsonObject(random)
}

function jsonObject(random: Random): string {
  const chosen = new Set(random.times(random.integer(0, 4), () => random.pick(jsonNames)))
  return `{${[...chosen].map((name) => `"${name}":${random.pick(jsonValues[name]!)}`).join(',')}}`
}
