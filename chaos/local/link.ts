/** A TCP connection between two processes that can be made to misbehave: what a network between machines may do. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { LinkTrouble, Lost } from '../fault.ts'

type Direction = 'requests' | 'answers'

/** Where a link leads. */
export interface Endpoint {
  host: string
  port: number
}

/**
 * Listens on a port of 127.0.0.1 and passes everything on to one other.
 *
 * What is lost is only held back, as TCP does: once the trouble is over it arrives. Whoever connects meanwhile is connected
 * and hears nothing.
 */
export class Link {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #flows = new Set<() => void>()
  readonly #home: Endpoint
  #target: Endpoint
  #trouble: LinkTrouble = {}
  #resets: NodeJS.Timeout | undefined

  static async to(target: Endpoint): Promise<Link> {
    const link = new Link(target)
    await new Promise<void>((resolve, reject) => link.#server.listen(0, '127.0.0.1', resolve).once('error', reject))
    return link
  }

  private constructor(target: Endpoint) {
    this.#home = target
    this.#target = target
    this.#server = createServer((caller) => this.#join(caller))
  }

  /** `host:port` for whoever is to use the link. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Makes the link misbehave from now on; `{}` heals it. */
  set(trouble: LinkTrouble): void {
    this.#trouble = trouble
    clearInterval(this.#resets)
    if (trouble.resetEveryMs) this.#resets = setInterval(() => this.reset(), trouble.resetEveryMs)
    for (const resume of this.#flows) resume()
  }

  /** Leads to another place from now on; open connections are reset. */
  redirect(target: Endpoint): void {
    this.#target = target
    this.reset()
  }

  /** Leads to where it first did. */
  restore(): void {
    this.redirect(this.#home)
  }

  /** Resets every connection. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  close(): void {
    clearInterval(this.#resets)
    this.#server.close()
    this.reset()
  }

  #join(caller: Socket): void {
    const called = connect(this.#target)
    for (const socket of [caller, called]) {
      socket.setNoDelay(true)
      this.#sockets.add(socket)
      socket.on('error', () => {
        // Told to both sides by the close that follows.
      })
    }
    this.#pass(caller, called, 'requests')
    this.#pass(called, caller, 'answers')
    const part = (one: Socket, other: Socket) =>
      one.once('close', (hadError) => {
        this.#sockets.delete(one)
        if (hadError) other.resetAndDestroy()
        else other.destroySoon()
      })
    part(caller, called)
    part(called, caller)
  }

  #pass(from: Socket, to: Socket, direction: Direction): void {
    const waiting: { chunk: Buffer; at: number }[] = []
    let isFreeAt = 0
    let timer: NodeJS.Timeout | undefined
    const flush = () => {
      clearTimeout(timer)
      if (loses(this.#trouble.lost, direction)) return
      while (waiting.length > 0 && waiting[0]!.at <= performance.now()) to.write(waiting.shift()!.chunk)
      if (waiting.length > 0) timer = setTimeout(flush, Math.max(1, waiting[0]!.at - performance.now()))
      else if (from.readableEnded) to.end()
    }
    from.on('data', (chunk: Buffer) => {
      const { latencyMs = 0, bytesPerSecond = Infinity } = this.#trouble
      isFreeAt = Math.max(isFreeAt, performance.now()) + (chunk.length / bytesPerSecond) * 1_000
      waiting.push({ chunk, at: isFreeAt + latencyMs })
      flush()
    })
    from.once('end', flush)
    from.once('close', () => {
      clearTimeout(timer)
      this.#flows.delete(flush)
    })
    this.#flows.add(flush)
  }
}

function loses(lost: Lost | undefined, direction: Direction): boolean {
  return lost === 'both' || lost === direction
}
