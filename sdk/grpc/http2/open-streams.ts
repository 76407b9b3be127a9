import type { Http2Stream } from './stream.ts'

/** A power of two; as many streams as are open at a time on a busy connection. */
const placeCount = 256

/**
 * The open streams of a connection, by number.
 *
 * Numbers count up, so a stream has its place in a ring, from which one that lasts until its place is wanted again moves
 * into a Map. Not all are in that, because a Map keeps much of what was taken out of it (`Places` says why).
 */
export class OpenStreams {
  readonly #ring = Array.from({ length: placeCount }, (): Http2Stream | undefined => undefined)
  readonly #lasting = new Map<number, Http2Stream>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): Http2Stream | undefined {
    const stream = this.#ring[placeOf(id)]
    return stream?.id === id ? stream : this.#lasting.get(id)
  }

  /** Its number is one that was never there before. */
  add(stream: Http2Stream): void {
    const place = placeOf(stream.id)
    const before = this.#ring[place]
    if (before) this.#lasting.set(before.id, before)
    this.#ring[place] = stream
    this.#size++
  }

  /** False if it was not open any more. */
  delete(id: number): boolean {
    const place = placeOf(id)
    if (this.#ring[place]?.id === id) this.#ring[place] = undefined
    else if (!this.#lasting.delete(id)) return false
    this.#size--
    return true
  }

  /** Those that are open now. */
  all(): Http2Stream[] {
    return [...this.#lasting.values(), ...this.#ring.filter((stream) => stream !== undefined)]
  }
}

/** Those of one side are all odd or all even. */
function placeOf(id: number): number {
  return (id >> 1) & (placeCount - 1)
}
