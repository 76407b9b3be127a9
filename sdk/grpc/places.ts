/**
 * Holds what comes and goes thousands of times a second, each under the number of its place.
 *
 * A Map or a Set would keep much of what was taken out of it. V8 begins a new table whenever there were as many insertions
 * as the table has room for, and the table before it still knows what it held then, and its successor. Once one of them is
 * in the old generation, all later ones and what they held survive each young collection (docs/decisions/0019).
 */
export class Places<Held> {
  readonly #held: (Held | undefined)[] = []
  readonly #free: number[] = []

  /** How many are held. */
  get size(): number {
    return this.#held.length - this.#free.length
  }

  /** Holds it and answers its place, which is its own until `delete`. */
  add(held: Held): number {
    const place = this.#free.pop() ?? this.#held.length
    this.#held[place] = held
    return place
  }

  get(place: number): Held | undefined {
    return this.#held[place]
  }

  /** Call it once for each `add`. */
  delete(place: number): void {
    this.#held[place] = undefined
    this.#free.push(place)
  }

  /** Those that are held now. */
  all(): Held[] {
    return this.#held.filter((held) => held !== undefined)
  }
}
