import type { DescField, DescMessage, FileRegistry } from '@bufbuild/protobuf'
import { WireReader } from '../wire/reader.ts'
import { WireWriter } from '../wire/writer.ts'
import { Decoders } from './decode.ts'
import { Encoders, type WriteMessage } from './encode.ts'

/** proto3 JSON ⇄ wire for the messages of one descriptor set. */
export class JsonCodec {
  readonly #encoders: Encoders
  readonly #lenient: Encoders
  readonly #decoders: Decoders
  // Encoding never awaits, so one writer serves everybody.
  readonly #writer = new WireWriter()

  constructor(registry: FileRegistry) {
    this.#encoders = new Encoders(registry, 'refused')
    this.#lenient = new Encoders(registry, 'skipped')
    this.#decoders = new Decoders(registry)
  }

  /** Compiles a message type's encoder: what JSON.parse returned → wire. Throws JsonViolation, and InexactNumber. */
  encoder(desc: DescMessage): (value: unknown) => Buffer {
    const write = this.#encoders.message(desc)
    return (value) => this.#written(write, value)
  }

  /** As `encoder`, but skips fields that a message does not have. Compiled when it is first used, for few ask for it. */
  lenientEncoder(desc: DescMessage): (value: unknown) => Buffer {
    return (value) => this.#written(this.#lenient.message(desc), value)
  }

  #written(write: WriteMessage, value: unknown): Buffer {
    this.#writer.reset()
    write(this.#writer, value, 1)
    return this.#writer.finish()
  }

  /** Compiles a message type's decoder: wire → JSON text. Throws WireError, or RangeError for what has no JSON form. */
  decoder(desc: DescMessage): (bytes: Uint8Array) => string {
    const decoder = this.#decoders.message(desc)
    return (bytes) => decoder.read(new WireReader(bytes), 1)
  }

  /** As `decoder`, for one field of the message only; an absent field is answered as its zero. */
  fieldDecoder(desc: DescMessage, field: DescField): (bytes: Uint8Array) => string {
    const decoder = this.#decoders.message(desc)
    return (bytes) => decoder.readField(new WireReader(bytes), field)
  }
}
