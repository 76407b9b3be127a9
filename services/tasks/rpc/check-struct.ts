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

/** What is wrong, or undefined. */
export function structFault(bytes: Uint8Array): string | undefined {
  try {
    new Walker(bytes).struct(bytes.length, 0)
    return undefined
  } catch (error) {
    if (error instanceof Fault) return error.message
    throw error
  }
}

class Fault extends Error {}

class Walker {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  struct(end: number, depth: number): void {
    this.#message(end, depth, { 1: (entryEnd) => this.#entry(entryEnd, depth) })
  }

  #entry(end: number, depth: number): void {
    this.#message(end, depth, {
      1: (keyEnd) => this.#string(keyEnd),
      2: (valueEnd) => this.#value(valueEnd, depth + 1),
    })
  }

  #value(end: number, depth: number): void {
    this.#message(end, depth, {
      3: (stringEnd) => this.#string(stringEnd),
      5: (structEnd) => this.struct(structEnd, depth + 1),
      6: (listEnd) => this.#message(listEnd, depth, { 1: (valueEnd) => this.#value(valueEnd, depth + 1) }),
    })
  }

  /** Walks fields up to `end`; length-delimited ones that are named here go to their walker. */
  #message(end: number, depth: number, lengthDelimited: Record<number, (end: number) => void>): void {
    if (depth > depthMax) throw new Fault(`is nested deeper than ${depthMax}`)
    while (this.#at < end) {
      const tag = this.#varint(end)
      const wireType = tag & 7
      if (tag >>> 3 === 0) throw new Fault('is not an encoded google.protobuf.Struct')
      if (wireType === 0) this.#varint(end)
      else if (wireType === 1) this.#skip(8, end)
      else if (wireType === 5) this.#skip(4, end)
      else if (wireType === 2) this.#delimited(end, lengthDelimited[tag >>> 3])
      else throw new Fault('is not an encoded google.protobuf.Struct')
    }
  }

  #delimited(end: number, walk: ((end: number) => void) | undefined): void {
    const length = this.#varint(end)
    const fieldEnd = this.#at + length
    if (fieldEnd > end) throw new Fault('is cut short')
    if (walk) walk(fieldEnd)
    this.#at = fieldEnd
  }

  #string(end: number): void {
    if (!isUtf8(this.#bytes.subarray(this.#at, end))) throw new Fault('has a string that is not UTF-8')
    this.#at = end
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
