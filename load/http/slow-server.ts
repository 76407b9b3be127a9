import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** A server on 127.0.0.1 that tasks call and that takes its time to answer, as those do whose work tasks wait for. */
export class SlowServer {
  readonly #server

  static async start(answerMs: number): Promise<SlowServer> {
    const slow = new SlowServer(answerMs)
    await new Promise<void>((resolve, reject) => slow.#server.listen(0, '127.0.0.1', resolve).once('error', reject))
    return slow
  }

  private constructor(answerMs: number) {
    this.#server = createServer((_, response) => void delay(answerMs).then(() => response.end()))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}
