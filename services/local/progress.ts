import type { WriteStream } from 'node:tty'

/** Tells on a terminal what is ready so far, in one line that grows; elsewhere only messages are written. */
export class Progress {
  readonly #stream: WriteStream
  readonly #ready: string[] = []
  readonly #startedAt = performance.now()
  readonly #ticker: NodeJS.Timeout | undefined
  #isDrawn = false

  constructor(stream: WriteStream) {
    this.#stream = stream
    if (stream.isTTY) this.#ticker = setInterval(() => this.#draw(), 200).unref()
  }

  ready(name: string): void {
    this.#ready.push(name)
    if (this.#ticker) this.#draw()
  }

  /** Writes a line of its own, above the progress. */
  say(line: string): void {
    this.#clear()
    this.#stream.write(`${line}\n`)
  }

  /** Takes the progress away; later messages are written as before. */
  end(): void {
    clearInterval(this.#ticker)
    this.#clear()
  }

  #draw(): void {
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1)
    const line = `Starting, ${seconds} s; ready: ${this.#ready.join(', ') || 'nothing yet'}`
    this.#stream.write(`\r\u001b[K${line.slice(0, this.#stream.columns - 1)}`)
    this.#isDrawn = true
  }

  #clear(): void {
    if (this.#isDrawn) this.#stream.write('\r\u001b[K')
    this.#isDrawn = false
  }
}
