/** The bytes are not protobuf, or not of the expected message. */
export class WireError extends Error {
  override readonly name = 'WireError'
}

/** Reads protobuf from a buffer, never past `end`. */
export class WireReader {
  readonly bytes: Buffer
  position: number
  end: number
  /** The upper half of what `varint64` or `fixed64` read last. */
  high = 0

  constructor(bytes: Uint8Array, position = 0, end = bytes.length) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.position = position
    this.end = end
  }

  /** A varint cut to 32 bits, unsigned. */
  varint(): number {
    return this.varint64()
  }

  /** A varint: returns its lower 32 bits, unsigned, and leaves the upper ones in `high`. */
  varint64(): number {
    let byte = this.#byte()
    this.high = 0
    if (byte < 128) return byte
    let low = byte & 127
    for (let shift = 7; shift < 28; shift += 7) {
      byte = this.#byte()
      low |= (byte & 127) << shift
      if (byte < 128) return low >>> 0
    }
    byte = this.#byte()
    low |= (byte & 15) << 28
    let high = (byte & 127) >>> 4
    if (byte < 128) {
      this.high = high
      return low >>> 0
    }
    for (let shift = 3; shift < 32; shift += 7) {
      if (this.position >= this.end) break
      byte = this.bytes[this.position++]!
      high |= (byte & 127) << shift
      if (byte < 128) {
        this.high = high >>> 0
        return low >>> 0
      }
    }
    throw new WireError('a varint does not end')
  }

  fixed32(): number {
    const at = this.#take(4)
    return this.bytes.readUInt32LE(at)
  }

  /** Returns the lower 32 bits, unsigned, and leaves the upper ones in `high`. */
  fixed64(): number {
    const at = this.#take(8)
    this.high = this.bytes.readUInt32LE(at + 4)
    return this.bytes.readUInt32LE(at)
  }

  float(): number {
    return this.bytes.readFloatLE(this.#take(4))
  }

  double(): number {
    return this.bytes.readDoubleLE(this.#take(8))
  }

  string(): string {
    const length = this.length()
    const start = this.position
    this.position += length
    return this.bytes.toString('utf8', start, this.position)
  }

  /** A view on the bytes, not a copy. */
  view(): Buffer {
    const length = this.length()
    const start = this.position
    this.position += length
    return this.bytes.subarray(start, this.position)
  }

  /** The length of what follows, which lies within the buffer. */
  length(): number {
    const length = this.varint()
    if (this.high !== 0 || length > this.end - this.position) throw new WireError('a length goes past the end')
    return length
  }

  /** Passes over a field that nobody knows. */
  skip(tag: number, depth = 0): void {
    switch (tag & 7) {
      case 0:
        this.varint64()
        return
      case 1:
        this.#take(8)
        return
      case 2:
        this.#take(this.length())
        return
      case 3:
        if (depth > 100) throw new WireError('groups are nested too deeply')
        for (;;) {
          const inner = this.varint()
          if ((inner & 7) === 4) return
          this.skip(inner, depth + 1)
        }
      case 5:
        this.#take(4)
        return
      default:
        throw new WireError(`wire type ${tag & 7} does not exist`)
    }
  }

  #take(bytes: number): number {
    const at = this.position
    if (at + bytes > this.end) throw new WireError('the message ends early')
    this.position = at + bytes
    return at
  }

  #byte(): number {
    if (this.position >= this.end) throw new WireError('the message ends early')
    return this.bytes[this.position++]!
  }
}
