/**
 * gRPC's messages within a stream of bytes: `compressed (1 byte) | length (4 bytes) | message`.
 */
const prefixBytes = 5

/** The message with its prefix, uncompressed. */
export function framed(message: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(prefixBytes + message.length)
  bytes[0] = 0
  bytes.writeUInt32BE(message.length, 1)
  bytes.set(message, prefixBytes)
  return bytes
}

/** Why bytes are no messages that we take. */
export class MessageFault extends Error {
  override name = 'MessageFault'
  readonly kind: 'compressed' | 'too-large'

  constructor(kind: MessageFault['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

/** Cuts messages out of a stream's bytes. */
export class MessageReader {
  readonly #bytesMax: number
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** True if all that came were whole messages. */
  get isBetween(): boolean {
    return this.#bytes === 0
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
  }

  /** Throws a MessageFault if the next message is one that we do not take. */
  check(): void {
    this.#end()
  }

  /** The next message, if it has come whole. Throws a MessageFault. */
  next(): Buffer | undefined {
    const end = this.#end()
    if (this.#bytes < end) return undefined
    const bytes = this.#chunks[0]!.length >= end ? this.#chunks[0]! : this.#join()
    this.#bytes -= end
    if (bytes.length === end) this.#chunks.shift()
    else this.#chunks[0] = bytes.subarray(end)
    return bytes.subarray(prefixBytes, end)
  }

  /** Where the next message ends; Infinity while that is not known. */
  #end(): number {
    if (this.#bytes < prefixBytes) return Infinity
    const first = this.#chunks[0]!.length >= prefixBytes ? this.#chunks[0]! : this.#join()
    const length = first.readUInt32BE(1)
    if (first[0] !== 0) throw new MessageFault('compressed', 'messages must not be compressed')
    if (length > this.#bytesMax)
      throw new MessageFault('too-large', `the message has ${length} bytes; at most ${this.#bytesMax} are taken`)
    return prefixBytes + length
  }

  #join(): Buffer {
    const all = Buffer.concat(this.#chunks)
    this.#chunks = [all]
    return all
  }
}
