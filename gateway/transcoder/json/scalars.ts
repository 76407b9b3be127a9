import { ScalarType } from '@bufbuild/protobuf'
import type { WireReader } from '../wire/reader.ts'
import type { WireWriter } from '../wire/writer.ts'
import { InexactNumber, JsonViolation, kindOf } from './violation.ts'

/** One scalar type of protobuf: its JSON and its wire form, each way. */
export interface ScalarCodec<T = unknown> {
  readonly wireType: 0 | 1 | 2 | 5
  /** The JSON text of the type's zero value, which fields without presence leave out. */
  readonly zeroText: string
  /** Checks a JSON value and makes it what `write` takes; throws JsonViolation. */
  parse(value: unknown): T
  isZero(value: T): boolean
  write(writer: WireWriter, value: T): void
  /** Reads from the wire, answers JSON text. */
  text(reader: WireReader): string
}

const decimal = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

function parseInteger(value: unknown, min: number, max: number): number {
  let number = value
  if (typeof value === 'string') number = decimal.test(value) ? Number(value) : Number.NaN
  else if (typeof value === 'bigint') number = Number(value)
  else if (typeof value !== 'number') throw new JsonViolation(`expected an integer, got ${kindOf(value)}`)
  if (!Number.isInteger(number)) throw new JsonViolation(`${show(value)} is not an integer`)
  if ((number as number) < min || (number as number) > max) throw new JsonViolation(`${show(value)} is out of range`)
  return (number as number) + 0
}

function parseLong(value: unknown, min: bigint, max: bigint): bigint {
  let long: bigint
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) throw new JsonViolation(`${show(value)} is not an integer`)
    if (!Number.isSafeInteger(value)) throw new InexactNumber('an integer above 2^53')
    long = BigInt(value)
  } else if (typeof value === 'string') {
    if (!decimal.test(value)) throw new JsonViolation(`${show(value)} is not an integer`)
    if (/^-?\d{1,20}$/.test(value)) long = BigInt(value)
    else {
      const number = Number(value)
      if (!Number.isSafeInteger(number)) throw new JsonViolation(`${show(value)} is not a 64-bit integer`)
      long = BigInt(number)
    }
  } else if (typeof value === 'bigint') long = value
  else throw new JsonViolation(`expected an integer as a string, got ${kindOf(value)}`)
  if (long < min || long > max) throw new JsonViolation(`${show(value)} is out of range`)
  return long
}

function parseFloating(value: unknown, max: number): number {
  let number = value
  if (typeof value === 'bigint') number = Number(value)
  else if (typeof value === 'string') {
    if (value === 'NaN') return Number.NaN
    if (value === 'Infinity') return Number.POSITIVE_INFINITY
    if (value === '-Infinity') return Number.NEGATIVE_INFINITY
    if (!decimal.test(value)) throw new JsonViolation(`${show(value)} is not a number`)
    number = Number(value)
  } else if (typeof value !== 'number') throw new JsonViolation(`expected a number, got ${kindOf(value)}`)
  if (Math.abs(number as number) > max) throw new JsonViolation(`${show(value)} is out of range`)
  return number as number
}

/** Checks that a JSON value is a string of whole characters. */
export function parseString(value: unknown): string {
  if (typeof value !== 'string') throw new JsonViolation(`expected a string, got ${kindOf(value)}`)
  if (!value.isWellFormed()) throw new JsonViolation('the string holds half a surrogate pair')
  return value
}

const base64 = /^[A-Za-z0-9+/_-]*={0,2}$/

function parseBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  if (typeof value !== 'string') throw new JsonViolation(`expected base64, got ${kindOf(value)}`)
  if (!base64.test(value) || value.replace(/=+$/, '').length % 4 === 1)
    throw new JsonViolation('the string is not base64')
  return Buffer.from(value, 'base64')
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}

/** The JSON text of a 64-bit integer in two halves. */
function longText(low: number, high: number, signed: boolean): string {
  if (high === 0) return `"${low}"`
  const value = (BigInt(high) << 32n) | BigInt(low)
  return `"${signed ? BigInt.asIntN(64, value) : value}"`
}

/** The JSON text of a double. */
export function doubleText(value: number): string {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value)
  return `"${value}"`
}

function floatText(value: number): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) return doubleText(value)
  // The shortest decimal that reads back as the same 32-bit number: 0.1, not 0.10000000149011612.
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return String(short)
  }
  return String(value)
}

const zigzag = (value: number): number => (value >>> 1) ^ -(value & 1)
const isZeroNumber = (value: number): boolean => value === 0
const isZeroFloating = (value: number): boolean => Object.is(value, 0)
const isZeroLong = (value: bigint): boolean => value === 0n

const int32Range = [-2_147_483_648, 2_147_483_647] as const
const int64Range = [-(2n ** 63n), 2n ** 63n - 1n] as const
const uint64Range = [0n, 2n ** 64n - 1n] as const

const int32 = { zeroText: '0', parse: (value: unknown) => parseInteger(value, ...int32Range), isZero: isZeroNumber }
const uint32 = { zeroText: '0', parse: (value: unknown) => parseInteger(value, 0, 4_294_967_295), isZero: isZeroNumber }
const int64 = { zeroText: '"0"', parse: (value: unknown) => parseLong(value, ...int64Range), isZero: isZeroLong }
const uint64 = { zeroText: '"0"', parse: (value: unknown) => parseLong(value, ...uint64Range), isZero: isZeroLong }

const codecs: { [type in ScalarType]: ScalarCodec } = {
  [ScalarType.INT32]: {
    ...int32,
    wireType: 0,
    write: (writer, value: number) => writer.int32(value),
    text: (reader) => String(reader.varint() | 0),
  },
  [ScalarType.UINT32]: {
    ...uint32,
    wireType: 0,
    write: (writer, value: number) => writer.varint(value),
    text: (reader) => String(reader.varint()),
  },
  [ScalarType.SINT32]: {
    ...int32,
    wireType: 0,
    write: (writer, value: number) => writer.varint(((value << 1) ^ (value >> 31)) >>> 0),
    text: (reader) => String(zigzag(reader.varint())),
  },
  [ScalarType.FIXED32]: {
    ...uint32,
    wireType: 5,
    write: (writer, value: number) => writer.fixed32(value),
    text: (reader) => String(reader.fixed32()),
  },
  [ScalarType.SFIXED32]: {
    ...int32,
    wireType: 5,
    write: (writer, value: number) => writer.fixed32(value),
    text: (reader) => String(reader.fixed32() | 0),
  },
  [ScalarType.INT64]: {
    ...int64,
    wireType: 0,
    write: (writer, value: bigint) => writer.varint64(value),
    text: (reader) => longText(reader.varint64(), reader.high, true),
  },
  [ScalarType.UINT64]: {
    ...uint64,
    wireType: 0,
    write: (writer, value: bigint) => writer.varint64(value),
    text: (reader) => longText(reader.varint64(), reader.high, false),
  },
  [ScalarType.SINT64]: {
    ...int64,
    wireType: 0,
    write: (writer, value: bigint) => writer.varint64(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))),
    text: (reader) => {
      const low = BigInt(reader.varint64())
      const value = (BigInt(reader.high) << 32n) | low
      return `"${(value >> 1n) ^ -(value & 1n)}"`
    },
  },
  [ScalarType.FIXED64]: {
    ...uint64,
    wireType: 1,
    write: (writer, value: bigint) => writer.fixed64(value),
    text: (reader) => longText(reader.fixed64(), reader.high, false),
  },
  [ScalarType.SFIXED64]: {
    ...int64,
    wireType: 1,
    write: (writer, value: bigint) => writer.fixed64(value),
    text: (reader) => longText(reader.fixed64(), reader.high, true),
  },
  [ScalarType.FLOAT]: {
    wireType: 5,
    zeroText: '0',
    isZero: isZeroFloating,
    parse: (value) => parseFloating(value, 3.4028234663852886e38),
    write: (writer, value: number) => writer.float(value),
    text: (reader) => floatText(reader.float()),
  },
  [ScalarType.DOUBLE]: {
    wireType: 1,
    zeroText: '0',
    isZero: isZeroFloating,
    parse: (value) => parseFloating(value, Number.MAX_VALUE),
    write: (writer, value: number) => writer.double(value),
    text: (reader) => doubleText(reader.double()),
  },
  [ScalarType.BOOL]: {
    wireType: 0,
    zeroText: 'false',
    isZero: (value: boolean) => !value,
    parse: (value) => {
      if (typeof value !== 'boolean') throw new JsonViolation(`expected true or false, got ${kindOf(value)}`)
      return value
    },
    write: (writer, value: boolean) => writer.varint(value ? 1 : 0),
    text: (reader) => ((reader.varint64() | reader.high) === 0 ? 'false' : 'true'),
  },
  [ScalarType.STRING]: {
    wireType: 2,
    zeroText: '""',
    isZero: (value: string) => value === '',
    parse: parseString,
    write: (writer, value: string) => writer.string(value),
    text: (reader) => JSON.stringify(reader.string()),
  },
  [ScalarType.BYTES]: {
    wireType: 2,
    zeroText: '""',
    isZero: (value: Uint8Array) => value.length === 0,
    parse: parseBytes,
    write: (writer, value: Uint8Array) => writer.bytes(value),
    text: (reader) => `"${reader.view().toString('base64')}"`,
  },
}

/** The codec of a scalar type. */
export function scalarCodec(type: ScalarType): ScalarCodec {
  return codecs[type]
}
