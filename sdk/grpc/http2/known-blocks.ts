import type { Headers } from './hpack.ts'

/** A peer's requests differ little in their headers, its answers have two blocks each. */
const blocksMax = 4
const blockBytesMax = 1_024

/** Header blocks that came last and may come again: comparing their bytes costs a fraction of decoding them. */
export class KnownBlocks {
  #known: { block: Buffer; headers: Headers }[] = []
  #oldest = 0

  /** What the same bytes were decoded to. */
  find(block: Buffer): Headers | undefined {
    for (const known of this.#known)
      if (known.block.length === block.length && known.block.equals(block)) return known.headers
    return undefined
  }

  keep(block: Buffer, headers: Headers): void {
    if (block.length > blockBytesMax) return
    // A copy, which holds nothing of the socket's memory.
    this.#known[this.#oldest] = { block: Buffer.from(block), headers }
    this.#oldest = (this.#oldest + 1) % blocksMax
  }

  /** The same bytes do not mean the same any more. */
  forget(): void {
    this.#known = []
    this.#oldest = 0
  }
}
