/** What a Service of Kubernetes or a load balancer is to callers: one address for those gateways that are ready. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { isReady } from '@flowforge/local/readiness'

/** A gateway by its ports on 127.0.0.1. */
export interface Backend {
  port: number
  adminPort: number
}

const lookEveryMs = 100

/** Gives each new connection to the next gateway that is ready; connections that are there stay where they are. */
export class Balancer {
  readonly #server: Server
  readonly #backends: Backend[]
  readonly #sockets = new Set<Socket>()
  readonly #stop = new AbortController()
  readonly #ready = new Set<Backend>()
  #turn = 0

  static async over(backends: Backend[]): Promise<Balancer> {
    const balancer = new Balancer(backends)
    await new Promise<void>((resolve, reject) => balancer.#server.listen(0, '127.0.0.1', resolve).once('error', reject))
    return balancer
  }

  private constructor(backends: Backend[]) {
    this.#backends = backends
    for (const backend of backends) {
      this.#ready.add(backend)
      void this.#follow(backend)
    }
    this.#server = createServer((caller) => this.#join(caller))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#stop.abort()
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  async #follow(backend: Backend): Promise<void> {
    while (!this.#stop.signal.aborted) {
      if (await isReady(backend.adminPort)) this.#ready.add(backend)
      else this.#ready.delete(backend)
      await delay(lookEveryMs, undefined, { ref: false })
    }
  }

  #join(caller: Socket): void {
    const ready = this.#backends.filter((backend) => this.#ready.has(backend))
    const backend = ready[this.#turn++ % ready.length]
    if (!backend) return void caller.resetAndDestroy()
    const called = connect(backend.port, '127.0.0.1')
    for (const [one, other] of [
      [caller, called],
      [called, caller],
    ] as const) {
      one.setNoDelay(true)
      this.#sockets.add(one)
      one.on('error', () => {
        // Told to the other side by the close that follows.
      })
      one.once('close', (hadError) => {
        this.#sockets.delete(one)
        if (hadError) other.resetAndDestroy()
        else other.destroySoon()
      })
      one.pipe(other)
    }
  }
}
