/**
 * Writes protobuf into one growing buffer.
 *
 * A nested message reserves one byte for its length and moves its content only when that turns out too short, so
 * nothing is measured twice and no chunk list is built.
 */
export class WireWriter {
  #buffer: Buffer
  #position = 0

  constructor(initialBytes = 16_384) {
    this.#buffer = Buffer.allocUnsafe(initialBytes)
  }

  /** A copy of what was written; the writer starts anew. */
  finish(): Buffer {
    const result = Buffer.from(this.#buffer.subarray(0, this.#position))
    this.reset()
    return result
  }

  /** Forgets what was written, and a buffer that one large message made grow. */
  reset(): void {
    this.#position = 0
    if (this.#buffer.length > 1_048_576) this.#buffer = Buffer.allocUnsafe(16_384)
  }

  /** An unsigned integer below 2^32. */
  varint(value: number): void {
    this.#reserve(5)
    const buffer = this.#buffer
    let rest = value >>> 0
    while (rest > 127) {
      buffer[this.#position++] = (rest & 127) | 128
      rest >>>= 7
    }
    buffer[this.#position++] = rest
  }

  /** A signed 32-bit integer as protobuf's `int32` and enums have it: negative ones take ten bytes. */
  int32(value: number): void {
    if (value >= 0) this.varint(value)
    else this.varint64(BigInt(value))
  }

  /** A 64-bit integer, signed or not. */
  varint64(value: bigint): void {
    if (value >= 0n && value < 0x1_0000_0000n) return this.varint(Number(value))
    this.#reserve(10)
    let rest = BigInt.asUintN(64, value)
    while (rest > 127n) {
      this.#buffer[this.#position++] = Number(rest & 127n) | 128
      rest >>= 7n
    }
    this.#buffer[this.#position++] = Number(rest)
  }

  fixed32(value: number): void {
    this.#reserve(4)
    this.#position = this.#buffer.writeUInt32LE(value >>> 0, this.#position)
  }

  fixed64(value: bigint): void {
    this.#reserve(8)
    this.#position = this.#buffer.writeBigUInt64LE(BigInt.asUintN(64, value), this.#position)
  }

  float(value: number): void {
    this.#reserve(4)
    this.#position = this.#buffer.writeFloatLE(value, this.#position)
  }

  double(value: number): void {
    this.#reserve(8)
    this.#position = this.#buffer.writeDoubleLE(value, this.#position)
  }

  /** A string with its length before it. */
  string(value: string): void {
    if (value.length < 43) {
      // At most three bytes per UTF-16 unit, so the length fits one byte whatever the characters are.
      this.#reserve(128)
      const start = this.#position + 1
      const bytes = this.#buffer.write(value, start, 'utf8')
      this.#buffer[start - 1] = bytes
      this.#position = start + bytes
      return
    }
    const bytes = Buffer.byteLength(value)
    this.varint(bytes)
    this.#reserve(bytes)
    this.#position += this.#buffer.write(value, this.#position, 'utf8')
  }

  /** Bytes with their length before them. */
  bytes(value: Uint8Array): void {
    this.varint(value.length)
    this.#reserve(value.length)
    this.#buffer.set(value, this.#position)
    this.#position += value.length
  }

  /** Begins something that has its length before it; give the result to `close`. */
  open(): number {
    this.#reserve(1)
    return ++this.#position
  }

  /** Ends what `open` began. */
  close(start: number): void {
    const length = this.#position - start
    if (length < 128) {
      this.#buffer[start - 1] = length
      return
    }
    const shift = length < 16_384 ? 1 : length < 2_097_152 ? 2 : length < 268_435_456 ? 3 : 4
    this.#reserve(shift)
    this.#buffer.copyWithin(start + shift, start, this.#position)
    const end = this.#position + shift
    this.#position = start - 1
    this.varint(length)
    this.#position = end
  }

  #reserve(bytes: number): void {
    const needed = this.#position + bytes
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, this.#position)
    this.#buffer = larger
  }
}
