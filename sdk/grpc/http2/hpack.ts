/**
 * HPACK (RFC 7541): header lists as bytes.
 *
 * Writing uses the static table and literals only, so it has no state and a list that is sent often can be kept as
 * bytes. Reading knows everything a peer may send.
 */
import { ConnectionError, errorCode } from './frames.ts'
import { decodeHuffman } from './huffman.ts'
import { KnownBlocks } from './known-blocks.ts'
import { staticTable } from './static-table.ts'

/** Names and values in turn; names are in lower case. */
export type Headers = string[]

/** The value of the first header of this name. */
export function header(headers: Headers, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]
  return undefined
}

const tableBytesMax = 4_096
/** By RFC 7541, section 4.1. */
const entryOverhead = 32

const staticIndex = new Map<string, number>()
const staticNames = new Map<string, number>()
for (const [i, [name, value]] of staticTable.entries()) {
  if (!staticNames.has(name)) staticNames.set(name, i + 1)
  if (value !== '') staticIndex.set(`${name}\n${value}`, i + 1)
}

// Encoding never awaits, so one buffer serves everybody. It grows to the largest list.
let scratch = Buffer.allocUnsafe(16_384)
let written = 0

/** Encodes headers; the result may be put together with others. */
export function encodeHeaders(headers: Headers): Buffer {
  written = 0
  for (let i = 0; i < headers.length; i += 2) encodeOne(headers[i]!, headers[i + 1]!)
  return Buffer.from(scratch.subarray(0, written))
}

function encodeOne(name: string, value: string): void {
  const nameIndex = staticNames.get(name)
  const index = nameIndex === undefined ? undefined : staticIndex.get(`${name}\n${value}`)
  // Two texts, and what stands before each.
  reserve(name.length + value.length + 24)
  if (index !== undefined) return encodeInteger(0x80, 7, index)
  encodeInteger(0, 4, nameIndex ?? 0)
  if (nameIndex === undefined) encodeText(name)
  encodeText(value)
}

function reserve(bytes: number): void {
  if (written + bytes <= scratch.length) return
  const larger = Buffer.allocUnsafe(2 * (written + bytes))
  scratch.copy(larger, 0, 0, written)
  scratch = larger
}

function encodeText(text: string): void {
  encodeInteger(0, 7, text.length)
  written += scratch.write(text, written, 'latin1')
}

function encodeInteger(first: number, prefixBits: number, value: number): void {
  const most = 2 ** prefixBits - 1
  if (value < most) {
    scratch[written++] = first | value
    return
  }
  scratch[written++] = first | most
  let rest = value - most
  for (; rest >= 128; rest >>>= 7) scratch[written++] = (rest & 127) | 128
  scratch[written++] = rest
}

/** Reads header blocks of one direction of one connection, in their order. */
export class HeaderDecoder {
  /** The newest entry is the last. */
  readonly #table: [name: string, value: string][] = []
  #tableBytes = 0
  #tableBytesMax = tableBytesMax
  readonly #known = new KnownBlocks()
  #isTableChanged = false
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  readonly #listBytesMax: number

  /** @param listBytesMax Of a list as RFC 9113, section 6.5.2, counts it. */
  constructor(listBytesMax: number) {
    this.#listBytesMax = listBytesMax
  }

  /**
   * The headers of a block, which nobody may change; undefined if they are more than we take. The block is read all the
   * same, for the sake of those after it. Throws a ConnectionError if it is not valid.
   */
  decode(block: Buffer): Headers | undefined {
    const known = this.#known.find(block)
    if (known) return known
    this.#isTableChanged = false
    const headers = this.#decode(block)
    if (this.#isTableChanged) this.#known.forget()
    else if (headers) this.#known.keep(block, headers)
    return headers
  }

  #decode(block: Buffer): Headers | undefined {
    this.#bytes = block
    this.#at = 0
    const headers: Headers = []
    let listBytes = 0
    const add = (name: string, value: string): void => {
      listBytes += name.length + value.length + entryOverhead
      if (listBytes <= this.#listBytesMax) headers.push(name, value)
    }
    let isFirst = true
    while (this.#at < block.length) {
      const byte = block[this.#at]!
      if (byte & 0x80) add(...this.#entry(this.#integer(7)))
      else if (byte & 0x40) {
        const [name, value] = this.#literal(6)
        this.#insert(name, value)
        add(name, value)
      } else if (byte & 0x20) {
        if (!isFirst) throw invalid('a table size stands behind a header')
        this.#resize(this.#integer(5))
        continue
      } else add(...this.#literal(4))
      isFirst = false
    }
    return listBytes <= this.#listBytesMax ? headers : undefined
  }

  #literal(prefixBits: number): [string, string] {
    const index = this.#integer(prefixBits)
    const name = index === 0 ? this.#text() : this.#entry(index)[0]
    return [name, this.#text()]
  }

  #entry(index: number): [string, string] {
    const entry = index <= staticTable.length ? staticTable[index - 1] : this.#table.at(staticTable.length - index)
    if (!entry) throw invalid('there is no such entry')
    return entry
  }

  #insert(name: string, value: string): void {
    this.#isTableChanged = true
    this.#table.push([name, value])
    this.#tableBytes += name.length + value.length + entryOverhead
    this.#evict()
  }

  #resize(bytesMax: number): void {
    if (bytesMax > tableBytesMax) throw invalid('the table would be larger than allowed')
    this.#isTableChanged = true
    this.#tableBytesMax = bytesMax
    this.#evict()
  }

  #evict(): void {
    while (this.#tableBytes > this.#tableBytesMax) {
      const [name, value] = this.#table.shift()!
      this.#tableBytes -= name.length + value.length + entryOverhead
    }
  }

  #integer(prefixBits: number): number {
    const most = 2 ** prefixBits - 1
    let value = this.#byte() & most
    if (value < most) return value
    for (let shift = 0; ; shift += 7) {
      const byte = this.#byte()
      // 28 bits are more than any length or index that we take.
      if (shift > 21) throw invalid('a number is too large')
      value += (byte & 127) << shift
      if (byte < 128) return value
    }
  }

  #text(): string {
    const isHuffman = (this.#bytes[this.#at] ?? 0) >= 0x80
    const length = this.#integer(7)
    const end = this.#at + length
    if (end > this.#bytes.length) throw invalid('a text is cut short')
    const text = isHuffman
      ? decodeHuffman(this.#bytes.subarray(this.#at, end))
      : this.#bytes.toString('latin1', this.#at, end)
    if (text === undefined) throw invalid('a text has no valid Huffman code')
    this.#at = end
    return text
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw invalid('the block is cut short')
    return byte
  }
}

function invalid(what: string): ConnectionError {
  return new ConnectionError(errorCode.compressionError, `a header block is not valid: ${what}`)
}
