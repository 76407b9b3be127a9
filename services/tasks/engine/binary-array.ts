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
  bytesOf(value: T): number
  write(into: Buffer, at: number, value: T): void
}

const headBytes = 20
const lengthBytes = 4
const y2kMs = Date.UTC(2000, 0, 1)

export const textArray = arrayOf<string>({
  oid: 25,
  bytesOf: (value) => Buffer.byteLength(value),
  write: (into, at, value) => into.write(value, at),
})

export const byteaArray = arrayOf<Uint8Array>({
  oid: 17,
  bytesOf: (value) => value.length,
  write: (into, at, value) => into.set(value, at),
})

export const uuidArray = arrayOf<string>({
  oid: 2950,
  bytesOf: () => 16,
  write: (into, at, value) => into.write(value.replaceAll('-', ''), at, 'hex'),
})

export const int2Array = arrayOf<number>({
  oid: 21,
  bytesOf: () => 2,
  write: (into, at, value) => into.writeInt16BE(value, at),
})

export const int4Array = arrayOf<number>({
  oid: 23,
  bytesOf: () => 4,
  write: (into, at, value) => into.writeInt32BE(value, at),
})

export const boolArray = arrayOf<boolean>({
  oid: 16,
  bytesOf: () => 1,
  write: (into, at, value) => into.writeUInt8(value ? 1 : 0, at),
})

export const timestamptzArray = arrayOf<Date>({
  oid: 1184,
  bytesOf: () => 8,
  // In microseconds since 2000.
  write: (into, at, value) => into.writeBigInt64BE(BigInt(value.getTime() - y2kMs) * 1000n, at),
})

const jsonbTexts = arrayOf<string>({
  oid: 3802,
  bytesOf: (value) => 1 + Buffer.byteLength(value),
  // The version of the form, then the text.
  write: (into, at, value) => into.write(value, into.writeUInt8(1, at)),
})

/** @param values What JSON can hold. */
export function jsonbArray(values: (object | null)[]): Buffer | null {
  return jsonbTexts(values.map((value) => value && JSON.stringify(value)))
}

function arrayOf<T>({ oid, bytesOf, write }: ElementType<T>): (values: (T | null)[]) => Buffer | null {
  return (values) => {
    const sizes = values.map((value) => (value === null ? -1 : bytesOf(value)))
    if (sizes.every((size) => size === -1)) return null
    const bytes = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + lengthBytes + Math.max(0, size), headBytes))
    const head = [1, sizes.includes(-1) ? 1 : 0, oid, values.length, 1]
    let at = head.reduce((offset, field) => bytes.writeInt32BE(field, offset), 0)
    for (const [i, value] of values.entries()) {
      const size = sizes[i]!
      at = bytes.writeInt32BE(size, at)
      if (value === null) continue
      write(bytes, at, value)
      at += size
    }
    return bytes
  }
}
