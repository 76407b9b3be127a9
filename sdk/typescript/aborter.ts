import { AttemptAbortedError, type AbortReason } from './errors.ts'

/**
 * Aborts one attempt, once. Its signal is made when somebody asks for it: most handlers do not, and it costs as much as
 * all else of a short attempt.
 */
export class Aborter {
  /** Why the attempt was aborted, if it was. */
  error: AttemptAbortedError | undefined
  /** Called when the attempt is aborted. */
  onAbort: (() => void) | undefined
  #controller: AbortController | undefined

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.error) this.#controller.abort(this.error)
    }
    return this.#controller.signal
  }

  abort(reason: AbortReason): void {
    if (this.error) return
    this.error = new AttemptAbortedError(reason)
    this.onAbort?.()
    this.#controller?.abort(this.error)
  }
}
