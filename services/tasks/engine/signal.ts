/** Something happened, once or often, since it was last waited for. */
export class Signal {
  #isRaised = false
  #wake: (() => void) | undefined

  raise(): void {
    this.#isRaised = true
    this.#wake?.()
  }

  /** Resolves when it is raised, at once if it was raised since the last wait; also when `abort` is aborted, or after `timeoutMs`. */
  async wait(abort: AbortSignal, timeoutMs?: number): Promise<void> {
    if (!this.#isRaised && !abort.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs)
      const onAbort = (): void => resolve()
      abort.addEventListener('abort', onAbort, { once: true })
      await promise
      clearTimeout(timer)
      abort.removeEventListener('abort', onAbort)
    }
    this.#isRaised = false
    this.#wake = undefined
  }
}
