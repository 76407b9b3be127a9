/** A port of a pod on 127.0.0.1, for as long as it is wanted: begun anew whenever the pod is replaced. */
import { spawn, type ChildProcess } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '@flowforge/local/free-port'

const againAfterMs = 500

export class Forward {
  readonly port: number
  readonly #args: string[]
  readonly #stop = new AbortController()
  #child: ChildProcess | undefined

  static async to(namespace: string, pod: string, port: number): Promise<Forward> {
    const own = await freePort()
    return new Forward(own, ['--namespace', namespace, 'port-forward', `pod/${pod}`, `${own}:${port}`])
  }

  private constructor(port: number, args: string[]) {
    this.port = port
    this.#args = args
    void this.#keep()
  }

  close(): void {
    this.#stop.abort()
    this.#child?.kill()
  }

  async #keep(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const child = spawn('kubectl', this.#args, { stdio: 'ignore' })
      this.#child = child
      await new Promise((resolve) => child.once('close', resolve).once('error', resolve))
      await delay(againAfterMs, undefined, { ref: false })
    }
  }
}
