/** The skeleton of every background loop: run, wait until it is due again or woken, run again; errors are logged, not fatal. */
import type { Logger } from '@flowforge/runtime/log'

export interface Upkeep {
  name: string
  /** Longest wait between two runs, in milliseconds; jittered by a tenth so that processes do not march in step. */
  everyMs: number
  /** Does what is due; may answer with the milliseconds until something is due again, if that is sooner. */
  runOnce: () => Promise<number | undefined>
}

export class UpkeepLoop {
  readonly #upkeep: Upkeep
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #dueAt = Infinity
  #running: Promise<void> | undefined
  #isWoken = false
  #isStopped = false

  constructor(upkeep: Upkeep, log: Logger) {
    this.#upkeep = upkeep
    this.#log = log
  }

  start(): void {
    this.#schedule(0)
  }

  /** Something will be due in `inMs`: runs then at the latest. */
  wake(inMs = 0): void {
    if (this.#running) this.#isWoken = true
    else if (performance.now() + inMs < this.#dueAt) this.#schedule(inMs)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  #schedule(inMs: number): void {
    if (this.#isStopped) return
    clearTimeout(this.#timer)
    this.#dueAt = performance.now() + inMs
    this.#timer = setTimeout(() => {
      this.#running = this.#run().finally(() => {
        this.#running = undefined
      })
    }, inMs)
  }

  async #run(): Promise<void> {
    this.#isWoken = false
    let nextMs: number | undefined
    try {
      nextMs = await this.#upkeep.runOnce()
    } catch (error) {
      this.#log.warn({ err: error, upkeep: this.#upkeep.name }, 'upkeep failed; trying again')
    }
    const everyMs = this.#upkeep.everyMs * (0.95 + Math.random() / 10)
    // Woken while running: what woke it may have come too late for this run.
    this.#schedule(this.#isWoken ? 0 : Math.max(0, Math.min(nextMs ?? everyMs, everyMs)))
  }
}
