/**
 * Checks that bytes are an encoded google.protobuf.Struct, without building an object from them.
 *
 * Payloads are stored as they come; bytes that no reader could decode must be refused at the door.
 *
 *     Struct    { map<string, Value> fields = 1 }        on the wire: repeated Entry { key = 1, value = 2 }
 *     Value     { null = 1, number = 2, string = 3, bool = 4, Struct = 5, ListValue = 6 }
 *     ListValue { repeated Value values = 1 }
 */
import { isUtf8 } from 'node:buffer'

const depthMax = 64
const nearBytes = 128

/** What is wrong, or undefined. */
export function structFault(bytes: Uint8Array): string | undefined {
  try {
    new Walker(bytes).message(Kind.struct, bytes.length, 0)
    return undefined
  } catch (error) {
    if (error instanceof Fault) return error.message
    throw error
  }
}

class Fault extends Error {}

const Kind = { none: 0, text: 1, struct: 2, entry: 3, value: 4, list: 5 } as const
type Kind = (typeof Kind)[keyof typeof Kind]

/** What a length-delimited field of a message holds, as far as it has to be looked into. */
function kindOf(message: Kind, field: number): Kind {
  if (message === Kind.value)
    return field === 3 ? Kind.text : field === 5 ? Kind.struct : field === 6 ? Kind.list : Kind.none
  if (message === Kind.entry) return field === 1 ? Kind.text : field === 2 ? Kind.value : Kind.none
  if (field !== 1) return Kind.none
  return message === Kind.struct ? Kind.entry : Kind.value
}

class Walker {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Walks the fields of a message up to `end`. */
  message(kind: Kind, end: number, depth: number): void {
    if (depth > depthMax) throw new Fault(`is nested deeper than ${depthMax}`)
    while (this.#at < end) {
      const tag = this.#varint(end)
      const wireType = tag & 7
      if (tag >>> 3 === 0) throw new Fault('is not an encoded google.protobuf.Struct')
      if (wireType === 0) this.#varint(end)
      else if (wireType === 1) this.#skip(8, end)
      else if (wireType === 5) this.#skip(4, end)
      else if (wireType === 2) this.#delimited(kindOf(kind, tag >>> 3), end, depth)
      else throw new Fault('is not an encoded google.protobuf.Struct')
    }
  }

  #delimited(kind: Kind, end: number, depth: number): void {
    const length = this.#varint(end)
    const fieldEnd = this.#at + length
    if (fieldEnd > end) throw new Fault('is cut short')
    if (kind === Kind.text) this.#text(fieldEnd)
    else if (kind !== Kind.none)
      this.message(kind, fieldEnd, kind === Kind.value || kind === Kind.struct ? depth + 1 : depth)
    this.#at = fieldEnd
  }

  #text(end: number): void {
    // Most of it is ASCII, and short: a view for the built-in check would cost more than the check.
    const nearEnd = Math.min(end, this.#at + nearBytes)
    while (this.#at < nearEnd && this.#bytes[this.#at]! < 0x80) this.#at++
    if (this.#at < end && !isUtf8(this.#bytes.subarray(this.#at, end)))
      throw new Fault('has a string that is not UTF-8')
  }

  #varint(end: number): number {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= end) throw new Fault('is cut short')
      const byte = this.#bytes[this.#at++]!
      // Only lengths and tags matter; they have at most 32 bits.
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw new Fault('is not an encoded google.protobuf.Struct')
  }

  #skip(count: number, end: number): void {
    this.#at += count
    if (this.#at > end) throw new Fault('is cut short')
  }
}
