/**
 * A Map by a text and a number together, for what comes and goes thousands of times a second.
 *
 * Unlike a Map it forgets what was taken out of it (see Places), joins no key of the two, and hashes the end of the text
 * alone: names end in what makes them different.
 */
export class NumberedMap<Held> {
  #chains: (Entry<Held> | undefined)[] = Array.from({ length: 64 })
  #size = 0

  get size(): number {
    return this.#size
  }

  get(text: string, number: number): Held | undefined {
    let entry = this.#chains[this.#chainOf(text)]
    while (entry && !(entry.number === number && entry.text === text)) entry = entry.next
    return entry?.held
  }

  /** Holds it; the two must not hold anything yet. */
  add(text: string, number: number, held: Held): void {
    if (this.#size === this.#chains.length) this.#grow()
    this.#size += 1
    this.#link({ text, number, held, next: undefined })
  }

  /** Takes it out and answers with it; undefined if there was nothing. */
  take(text: string, number: number): Held | undefined {
    const chain = this.#chainOf(text)
    let before: Entry<Held> | undefined
    let entry = this.#chains[chain]
    while (entry && !(entry.number === number && entry.text === text)) {
      before = entry
      entry = entry.next
    }
    if (!entry) return undefined
    if (before) before.next = entry.next
    else this.#chains[chain] = entry.next
    // An entry that is old would keep those behind it from being collected.
    entry.next = undefined
    this.#size -= 1
    return entry.held
  }

  /** Those that are held now, in no order. */
  all(): Held[] {
    const all: Held[] = []
    for (const first of this.#chains) for (let entry = first; entry; entry = entry.next) all.push(entry.held)
    return all
  }

  #chainOf(text: string): number {
    let hash = 0
    for (let at = Math.max(0, text.length - 8); at < text.length; at++) hash = (hash * 31 + text.charCodeAt(at)) | 0
    return hash & (this.#chains.length - 1)
  }

  #link(entry: Entry<Held>): void {
    const chain = this.#chainOf(entry.text)
    entry.next = this.#chains[chain]
    this.#chains[chain] = entry
  }

  #grow(): void {
    const chains = this.#chains
    this.#chains = Array.from({ length: 2 * chains.length })
    for (const first of chains) {
      for (let entry = first, next = first; entry; entry = next) {
        next = entry.next
        this.#link(entry)
      }
    }
  }
}

interface Entry<Held> {
  text: string
  number: number
  held: Held
  next: Entry<Held> | undefined
}
