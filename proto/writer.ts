/** The writers that generated code encodes with. */
import { BinaryWriter } from '@bufbuild/protobuf/wire'

/** A writer is kept unless its last message was larger. */
const keptBytesMax = 65_536

let idle: BinaryWriter | undefined

/** Is there for the next message when it is finished with one. */
class KeptWriter extends BinaryWriter {
  override finish(): Uint8Array<ArrayBuffer> {
    const bytes = super.finish()
    if (bytes.length <= keptBytesMax) keep(this)
    return bytes
  }
}

/**
 * An empty writer. A new one gets memory outside of V8's heap with its first byte and more as it grows, which costs
 * several times what it costs to encode a small message: so whoever finishes leaves the writer to the next.
 */
export function emptyWriter(): BinaryWriter {
  const writer = idle ?? new KeptWriter()
  // Nobody else's until it is finished; for ever if encoding throws.
  idle = undefined
  return writer
}

function keep(writer: BinaryWriter): void {
  idle = writer
}
