/**
 * What an upstream's retries are paid from, so that an outage is not answered with a storm: each call pays in a tenth of a
 * retry. Once the reserve is spent, attempts are at most 1.1 times the calls, however many of them fail.
 */
export class RetryBudget {
  static readonly #perCall = 0.1
  static readonly #max = 20
  #tokens = RetryBudget.#max

  /** A call is made for the first time. */
  deposit(): void {
    if (this.#tokens < RetryBudget.#max) this.#tokens += RetryBudget.#perCall
  }

  /** Pays for a retry; false when there is too little. */
  withdraw(): boolean {
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
