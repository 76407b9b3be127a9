/**
 * Arrays as parameters in PostgreSQL's binary form: the driver sends a Buffer as it is, and neither side has to write or
 * read text with quotes and hexadecimal digits. Null stands for an array that holds nothing but nulls: `unnest` fills
 * it up, so that a column which no task of a batch uses costs nothing.
 *
 *     dimensions (1) | has nulls | type | length | lower bound (1) | for each: bytes (-1 for null) | value
 */

interface ElementType<T> {
  /** Its number in pg_type, the same in every database. */
  oid: number
  /** Most bytes that the value takes. */
  bytesMax(value: T): number
  /** Writes the value and answers with where it ends. */
  write(into: Buffer, at: number, value: T): number
}

/** Makes one array of what each item has; of the items themselves if it is not said what. Asks `valueOf` twice for each. */
interface ArrayOf<T> {
  (values: readonly (T | null)[]): Buffer | null
  <Item>(items: readonly Item[], valueOf: (item: Item) => T | null): Buffer | null
}

const headBytes = 20
const lengthBytes = 4
/** Up to here a loop over the characters of a text is faster than the built-in encoder. */
const shortLength = 64
const dash = 0x2d
const y2kMs = Date.UTC(2000, 0, 1)

export const textArray = arrayOf<string>({
  oid: 25,
  bytesMax: (value) => value.length * 3,
  write: writeText,
})

export const byteaArray = arrayOf<Uint8Array>({
  oid: 17,
  bytesMax: (value) => value.length,
  write(into, at, value) {
    into.set(value, at)
    return at + value.length
  },
})

export const uuidArray = arrayOf<string>({
  oid: 2950,
  bytesMax: () => 16,
  write(into, at, value) {
    for (let i = 0; i < value.length; i += 2) {
      if (value.charCodeAt(i) === dash) i++
      into[at++] = (digit(value.charCodeAt(i)) << 4) | digit(value.charCodeAt(i + 1))
    }
    return at
  },
})

export const int2Array = arrayOf<number>({
  oid: 21,
  bytesMax: () => 2,
  write: (into, at, value) => into.writeInt16BE(value, at),
})

export const int4Array = arrayOf<number>({
  oid: 23,
  bytesMax: () => 4,
  write: (into, at, value) => into.writeInt32BE(value, at),
})

export const int8Array = arrayOf<bigint>({
  oid: 20,
  bytesMax: () => 8,
  write: (into, at, value) => into.writeBigInt64BE(value, at),
})

export const boolArray = arrayOf<boolean>({
  oid: 16,
  bytesMax: () => 1,
  write: (into, at, value) => into.writeUInt8(value ? 1 : 0, at),
})

export const timestamptzArray = arrayOf<Date>({
  oid: 1184,
  bytesMax: () => 8,
  // In microseconds since 2000.
  write: (into, at, value) => into.writeBigInt64BE(BigInt(value.getTime() - y2kMs) * 1000n, at),
})

/** Of what JSON can hold. */
export const jsonbArray = arrayOf<string>({
  oid: 3802,
  bytesMax: (value) => 1 + value.length * 3,
  // The version of the form, then the text.
  write: (into, at, value) => writeText(into, into.writeUInt8(1, at), value),
})

function writeText(into: Buffer, at: number, value: string): number {
  if (value.length > shortLength) return at + into.write(value, at)
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (code > 0x7f) return at + into.write(value, at)
    into[at + i] = code
  }
  return at + value.length
}

/** The value of a hexadecimal digit in lower case. */
function digit(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57
}

function arrayOf<T>({ oid, bytesMax, write }: ElementType<T>): ArrayOf<T> {
  return <Item>(items: readonly Item[], valueOf = (item: Item) => item as T | null): Buffer | null => {
    let nulls = 0
    let most = headBytes + items.length * lengthBytes
    for (const item of items) {
      const value = valueOf(item)
      if (value === null) nulls++
      else most += bytesMax(value)
    }
    if (nulls === items.length) return null
    const bytes = Buffer.allocUnsafe(most)
    const head = [1, nulls > 0 ? 1 : 0, oid, items.length, 1]
    let at = head.reduce((offset, field) => bytes.writeInt32BE(field, offset), 0)
    for (const item of items) {
      const value = valueOf(item)
      const start = at + lengthBytes
      const end = value === null ? start : write(bytes, start, value)
      bytes.writeInt32BE(value === null ? -1 : end - start, at)
      at = end
    }
    return bytes.subarray(0, at)
  }
}
