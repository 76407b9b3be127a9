/** Header compression of HTTP/2 (RFC 7541): a decoder of everything, and an encoder that keeps no table. */
import { huffmanDecode } from './huffman.ts'

// Appendix A.
const staticTable: readonly Field[] = [
  ...named(':authority'),
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  ...['200', '204', '206', '304', '400', '404', '500'].map((value): Field => [':status', value]),
  ...named('accept-charset'),
  ['accept-encoding', 'gzip, deflate'],
  ...named('accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control'),
  ...named('content-disposition content-encoding content-language content-length content-location content-range'),
  ...named('content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range'),
  ...named('if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range'),
  ...named('referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent'),
  ...named('vary via www-authenticate'),
]

type Field = readonly [name: string, value: string]

/** What a decoder without other agreement may remember. */
const tableBytesMax = 4_096
/** Headers of one message, names and values together: far more than a gRPC answer has. */
const listBytesMax = 131_072

/** A header block that cannot be decoded; the connection is of no use after it, since both tables must stay alike. */
export class HpackError extends Error {
  override readonly name = 'HpackError'
}

/** Decodes the header blocks of one connection, in their order. */
export class HpackDecoder {
  /** The newest entry is the last. */
  readonly #entries: Field[] = []
  #entriesBytes = 0
  #entriesBytesMax = tableBytesMax
  #block: Buffer = Buffer.alloc(0)
  #at = 0

  /** Answers names and values in turn, as Latin-1; throws HpackError. */
  decode(block: Buffer): string[] {
    this.#block = block
    this.#at = 0
    const list: string[] = []
    let bytes = 0
    while (this.#at < block.length) {
      const first = block[this.#at]!
      if ((first & 0xe0) === 0x20) {
        this.#resize(this.#integer(5))
        continue
      }
      const field = first & 0x80 ? this.#field(this.#integer(7)) : this.#literal(first)
      bytes += field[0].length + field[1].length
      if (bytes > listBytesMax) throw new HpackError('too many headers')
      list.push(field[0], field[1])
    }
    return list
  }

  #literal(first: number): Field {
    const isKept = (first & 0x40) !== 0
    const index = this.#integer(isKept ? 6 : 4)
    const name = index === 0 ? this.#string() : this.#field(index)[0]
    const field: Field = [name, this.#string()]
    if (isKept) {
      this.#entries.push(field)
      this.#entriesBytes += sizeOf(field)
      this.#evict()
    }
    return field
  }

  #field(index: number): Field {
    const field =
      index <= staticTable.length
        ? staticTable[index - 1]
        : this.#entries[this.#entries.length - (index - staticTable.length)]
    if (field === undefined) throw new HpackError(`there is no entry ${index}`)
    return field
  }

  #resize(bytes: number): void {
    if (bytes > tableBytesMax) throw new HpackError('a larger table than was offered')
    this.#entriesBytesMax = bytes
    this.#evict()
  }

  #evict(): void {
    while (this.#entriesBytes > this.#entriesBytesMax) this.#entriesBytes -= sizeOf(this.#entries.shift()!)
  }

  /** An integer whose first bits are the `bits` lower ones of the next byte. */
  #integer(bits: number): number {
    const mask = 2 ** bits - 1
    let value = this.#byte() & mask
    if (value < mask) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte()
      value += (byte & 127) << shift
      if (byte < 128) return value
    }
    throw new HpackError('an integer is too large')
  }

  #string(): string {
    const isCoded = (this.#block[this.#at]! & 0x80) !== 0
    const length = this.#integer(7)
    const end = this.#at + length
    if (end > this.#block.length) throw new HpackError('a string does not end')
    const start = this.#at
    this.#at = end
    if (!isCoded) return this.#block.toString('latin1', start, end)
    const text = huffmanDecode(this.#block.subarray(start, end))
    if (text === undefined) throw new HpackError('a string is not Huffman-coded')
    return text
  }

  #byte(): number {
    const byte = this.#block[this.#at++]
    if (byte === undefined) throw new HpackError('the block ends too early')
    return byte
  }
}

/** Entries without a value. */
function named(names: string): Field[] {
  return names.split(' ').map((name) => [name, ''])
}

function sizeOf([name, value]: Field): number {
  return name.length + value.length + 32
}

/** Tells the peer's decoder that we keep no table; needed once when it offers a smaller one than the default. */
export const emptyTable = Buffer.of(0x20)

/**
 * Encodes headers as literals that nobody remembers: larger than HPACK can be, but the same bytes every time, so that
 * what does not change from call to call is encoded once.
 */
export function encodeHeaders(headers: Iterable<readonly [name: string, value: string]>): Buffer {
  const parts: Buffer[] = []
  for (const [name, value] of headers) parts.push(Buffer.of(0), encodeString(name), encodeString(value))
  return Buffer.concat(parts)
}

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  const length: number[] = []
  if (bytes.length < 127) length.push(bytes.length)
  else {
    length.push(127)
    let rest = bytes.length - 127
    for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128)
    length.push(rest)
  }
  return Buffer.concat([Buffer.from(length), bytes])
}
