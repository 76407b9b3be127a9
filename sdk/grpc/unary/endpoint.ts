/** One address of a service: its connection, and when to try again after it could not be had. */
import type { Socket } from 'node:net'
import type { Address } from './addresses.ts'
import { Connection } from './connection.ts'
import type { Tls } from './open-socket.ts'
import { reach } from './reach.ts'

export interface EndpointEvents {
  /** Calls can be sent: the connection is there, or one of its streams ended. */
  onRoom(): void
  /** The connection cannot be had, or is lost. */
  onDown(reason: string): void
}

const backoffMsFirst = 100
const backoffMsMax = 2_000
// A server that accepts connections and never speaks HTTP/2 on them.
const settingsMsMax = 10_000
// Who ends connections sooner than this does not want us.
const livedMsMin = 1_000

export class Endpoint {
  readonly #address: Address
  readonly #tls: Tls | undefined
  readonly #events: EndpointEvents
  #state: 'idle' | 'connecting' | 'ready' = 'idle'
  #connection: Connection | undefined
  #attempt: { destroy(): void } | undefined
  #backoffMs = backoffMsFirst
  #notBefore = 0

  constructor(address: Address, tls: Tls | undefined, events: EndpointEvents) {
    this.#address = address
    this.#tls = tls
    this.#events = events
  }

  /** The connection, if a call can be sent on it at once. */
  get free(): Connection | undefined {
    return this.#connection?.hasRoom ? this.#connection : undefined
  }

  /** Whether a connection is there, or on its way. */
  get isUp(): boolean {
    return this.#state !== 'idle'
  }

  get isConnecting(): boolean {
    return this.#state === 'connecting'
  }

  /** Connects, unless it is up or was down a moment ago. */
  connect(): void {
    if (this.#state !== 'idle' || performance.now() < this.#notBefore) return
    this.#state = 'connecting'
    this.#attempt = reach(this.#address, this.#tls, (result) => {
      this.#attempt = undefined
      if ('error' in result) this.#down(result.error.message)
      else this.#adopt(result.socket)
    })
  }

  /** Lets calls end and opens no new connection. */
  close(): void {
    this.#notBefore = Number.POSITIVE_INFINITY
    this.#attempt?.destroy()
    this.#attempt = undefined
    this.#connection?.close()
  }

  #adopt(socket: Socket): void {
    const timer = setTimeout(() => connection.destroy('the server does not speak HTTP/2'), settingsMsMax)
    let readyAt = 0
    const connection = new Connection(socket, {
      onReady: () => {
        clearTimeout(timer)
        readyAt = performance.now()
        this.#state = 'ready'
        this.#backoffMs = backoffMsFirst
        this.#events.onRoom()
      },
      onRoom: () => this.#events.onRoom(),
      onEnd: (reason) => {
        clearTimeout(timer)
        if (this.#connection === connection) this.#connection = undefined
        if (this.#state !== 'ready') return this.#down(reason)
        this.#idle(reason)
        // One that worked and went is replaced at once, so that the next call need not wait for it.
        if (performance.now() - readyAt >= livedMsMin) this.connect()
      },
    })
    this.#connection = connection
  }

  #down(reason: string): void {
    // Spread, so that clients that lost a server together do not come back together.
    this.#notBefore = Math.max(this.#notBefore, performance.now() + this.#backoffMs * (0.8 + Math.random() * 0.4))
    this.#backoffMs = Math.min(this.#backoffMs * 1.6, backoffMsMax)
    this.#idle(reason)
  }

  #idle(reason: string): void {
    this.#state = 'idle'
    this.#events.onDown(reason)
  }
}
