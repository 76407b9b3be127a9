import { Places } from '../places.ts'
import type { Http2Stream } from './stream.ts'

/** The open streams of a connection, by number. */
export class OpenStreams {
  readonly #streams = new Places<Http2Stream>()
  readonly #placeOf = new Map<number, number>()

  get size(): number {
    return this.#placeOf.size
  }

  get(id: number): Http2Stream | undefined {
    const place = this.#placeOf.get(id)
    return place === undefined ? undefined : this.#streams.get(place)
  }

  add(stream: Http2Stream): void {
    this.#placeOf.set(stream.id, this.#streams.add(stream))
  }

  /** False if it was not open any more. */
  delete(id: number): boolean {
    const place = this.#placeOf.get(id)
    if (place === undefined) return false
    this.#placeOf.delete(id)
    this.#streams.delete(place)
    return true
  }

  /** Those that are open now. */
  all(): Http2Stream[] {
    return this.#streams.all()
  }
}
