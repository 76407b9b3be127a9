import type { Payload, Runs } from './protocol.ts'
import { now } from './protocol.ts'

const latenciesMax = 10_000

/** Which tasks have started in this process, how often and when. Tasks are numbered from 0 without gaps. */
export class Ledger {
  #starts = new Uint8Array(1024)
  #times = new Float64Array(1024)
  #sent = new Float64Array(1024)
  #waiting: { first: number; end: number; missing: number; resolve: () => void } | undefined

  /** Notes that a task has started. */
  note({ n, sentAt }: Payload): void {
    if (n >= this.#starts.length) this.#grow(n)
    this.#starts[n]! += 1
    if (this.#starts[n] !== 1) return
    this.#times[n] = now()
    this.#sent[n] = sentAt
    const waiting = this.#waiting
    if (waiting && n >= waiting.first && n < waiting.end && --waiting.missing === 0) waiting.resolve()
  }

  /** Resolves when all of the range have started, or after `withinMs`. */
  async complete(first: number, count: number, withinMs: number): Promise<void> {
    const missing = count - this.runs(first, count).started
    if (missing === 0) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#waiting = { first, end: first + count, missing, resolve }
      timer = setTimeout(resolve, withinMs)
    })
    clearTimeout(timer)
    this.#waiting = undefined
  }

  /** What is known of the range now. */
  runs(first: number, count: number): Runs {
    const runs: Runs = { started: 0, repeats: 0, firstAt: Infinity, lastAt: 0, latenciesMs: [] }
    const every = Math.ceil(count / latenciesMax)
    for (let n = first; n < Math.min(first + count, this.#starts.length); n++) {
      const starts = this.#starts[n]!
      if (starts === 0) continue
      runs.started += 1
      runs.repeats += starts - 1
      runs.firstAt = Math.min(runs.firstAt, this.#times[n]!)
      runs.lastAt = Math.max(runs.lastAt, this.#times[n]!)
      if (n % every === 0) runs.latenciesMs.push(this.#times[n]! - this.#sent[n]!)
    }
    runs.latenciesMs.sort((a, b) => a - b)
    return runs
  }

  #grow(n: number): void {
    const size = 2 ** Math.ceil(Math.log2(n + 1))
    const grown = <T extends Uint8Array | Float64Array>(old: T, made: T): T => {
      made.set(old)
      return made
    }
    this.#starts = grown(this.#starts, new Uint8Array(size))
    this.#times = grown(this.#times, new Float64Array(size))
    this.#sent = grown(this.#sent, new Float64Array(size))
  }
}
