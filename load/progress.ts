import type { WriteStream } from 'node:tty'

/** What is shown of a run while it lasts. */
export interface Now {
  phase: string
  /** How much of the phase is over, 0 to 1; undefined where nobody knows. */
  part?: number | undefined
  /** What was counted so far. */
  counted: string
}

const width = 24

/** One line that is drawn again and again on a terminal; elsewhere a line for each phase. */
export class Progress {
  readonly #stream: WriteStream
  readonly #name: string
  readonly #now: () => Now
  readonly #ticker: NodeJS.Timeout | undefined
  #toldPhase = ''

  constructor(stream: WriteStream, name: string, now: () => Now) {
    this.#stream = stream
    this.#name = name
    this.#now = now
    this.#ticker = setInterval(() => this.draw(), 200).unref()
  }

  draw(): void {
    const { phase, part, counted } = this.#now()
    if (!this.#stream.isTTY) {
      if (phase !== this.#toldPhase) this.#stream.write(`${this.#name}: ${phase}\n`)
      this.#toldPhase = phase
      return
    }
    const filled = Math.round(Math.min(1, part ?? 0) * width)
    const bar = part === undefined ? '·'.repeat(width) : '█'.repeat(filled).padEnd(width, '░')
    this.#stream.write(`\r\x1b[K${this.#name}  ${bar}  ${phase}${counted && `, ${counted}`}`)
  }

  /** Takes the line away and writes these instead. */
  end(lines: string): void {
    clearInterval(this.#ticker)
    this.#stream.write(`${this.#stream.isTTY ? '\r\x1b[K' : ''}${lines}\n`)
  }
}
