/** A token bucket: so many at once, and then so many a second. */
export class Turns {
  readonly #atOnce: number
  readonly #perSecond: number
  #left: number
  #updatedMs = performance.now()

  constructor(atOnce: number, perSecond: number) {
    this.#atOnce = atOnce
    this.#perSecond = perSecond
    this.#left = atOnce
  }

  /** False if there are none left. */
  take(): boolean {
    const nowMs = performance.now()
    this.#left = Math.min(this.#atOnce, this.#left + ((nowMs - this.#updatedMs) * this.#perSecond) / 1_000)
    this.#updatedMs = nowMs
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
