/**
 * Unary calls over HTTP/2, for callers that make thousands of them a second: a call here costs a fraction of one through
 * grpc-js, which stays the way of streams (docs/decisions say what was measured).
 *
 *     call ─► an endpoint with room, in turn ─► its connection ─► frames
 *
 * Semantics are those of grpc-js without wait-for-ready: a call waits while a connection is being made, and fails as
 * UNAVAILABLE once no address can be reached. Sent again are only calls that the server is sure not to have seen.
 */
import { status } from '@grpc/grpc-js'
import { readTarget, type Address, type Target } from './addresses.ts'
import type { Connection } from './connection.ts'
import { Endpoint } from './endpoint.ts'
import type { Tls } from './open-socket.ts'
import { headOfPath, UnaryCall, type CallOwner, type UnaryEnd, type UnaryRequest } from './unary-call.ts'

export type { Tls } from './open-socket.ts'
export type { UnaryEnd, UnaryRequest } from './unary-call.ts'

export interface UnaryChannelOptions {
  /** `host:port`, `dns:///host:port` or `ipv4:address:port,address:port`; calls take turns over all its addresses. */
  readonly target: string
  /** Undefined: plaintext, where a proxy of our own encrypts. */
  readonly tls: Tls | undefined
  /** Longest answer; a longer one is RESOURCE_EXHAUSTED. */
  readonly answerBytesMax: number
  /** How often a call is sent that the server is sure not to have seen. */
  readonly attemptsMax: number
}

// A name is asked for again after a connection was lost, or now and then while calls are made: what Kubernetes' DNS says of
// pods holds for so long, too.
const resolvedMsMax = 5_000

export class UnaryChannel implements CallOwner {
  readonly answerBytesMax: number
  readonly #target: Target
  readonly #tls: Tls | undefined
  readonly #attemptsMax: number
  readonly #heads = new Map<string, Buffer>()
  #endpoints: { address: Address; endpoint: Endpoint }[] = []
  /** Calls that no connection has room for yet, oldest first. */
  readonly #waiting = new Set<UnaryCall>()
  #turn = 0
  #isResolving = false
  #staleAt = 0
  #reason = ''
  #isClosed = false

  /** Throws when the target cannot be read; connects with the first call. */
  constructor({ target, tls, answerBytesMax, attemptsMax }: UnaryChannelOptions) {
    this.#target = readTarget(target)
    this.#tls = tls
    this.answerBytesMax = answerBytesMax
    this.#attemptsMax = attemptsMax
  }

  /** Calls; `end` is called exactly once, whatever happens, and never before this returned. */
  call(request: UnaryRequest, end: UnaryEnd): { cancel(): void } {
    const call = new UnaryCall(request, this, end)
    this.#dispatch(call)
    return call
  }

  /** Fails calls that wait for a connection, and lets those under way end. */
  close(): void {
    this.#isClosed = true
    for (const { endpoint } of this.#endpoints) endpoint.close()
    this.#failWaiting('the channel was closed')
  }

  headOf(path: string): Buffer {
    let head = this.#heads.get(path)
    if (head === undefined) {
      head = headOfPath(
        path,
        this.#tls === undefined ? 'http' : 'https',
        this.#tls?.serverName ?? this.#target.authority,
      )
      this.#heads.set(path, head)
    }
    return head
  }

  sendAgain(call: UnaryCall): boolean {
    if (this.#isClosed || call.attempts >= this.#attemptsMax) return false
    this.#dispatch(call)
    return true
  }

  forget(call: UnaryCall): void {
    this.#waiting.delete(call)
  }

  #dispatch(call: UnaryCall): void {
    const connection = this.#free()
    if (connection !== undefined && this.#waiting.size === 0) return call.sendOn(connection)
    this.#waiting.add(call)
    if (connection === undefined && !this.#isHopeful()) process.nextTick(() => this.#giveUp())
  }

  /** The next connection with room; sets connecting in motion wherever it is wanted. */
  #free(): Connection | undefined {
    if (performance.now() >= this.#staleAt) this.#resolve()
    const count = this.#endpoints.length
    let free: Connection | undefined
    for (let step = 0; step < count; step++) {
      const { endpoint } = this.#endpoints[(this.#turn + step) % count]!
      if (!endpoint.isUp) endpoint.connect()
      if (free !== undefined) continue
      free = endpoint.free
      if (free !== undefined) this.#turn = (this.#turn + step + 1) % count
    }
    return free
  }

  /** Whether a call that waits can still be sent by what is under way. */
  #isHopeful(): boolean {
    return !this.#isClosed && (this.#isResolving || this.#endpoints.some(({ endpoint }) => endpoint.isUp))
  }

  #drain(): void {
    for (const call of this.#waiting) {
      const connection = this.#free()
      if (connection === undefined) return
      this.#waiting.delete(call)
      call.sendOn(connection)
    }
  }

  #giveUp(): void {
    if (this.#waiting.size > 0 && !this.#isHopeful()) this.#failWaiting(this.#reason)
  }

  #failWaiting(reason: string): void {
    for (const call of this.#waiting) call.fail(status.UNAVAILABLE, `no connection established: ${reason}`)
  }

  #resolve(): void {
    if (this.#isResolving || this.#isClosed) return
    this.#isResolving = true
    this.#target.resolve().then(
      (addresses) => this.#adopt(addresses),
      (error: Error) => {
        this.#staleAt = performance.now() + 1_000
        this.#reason = error.message
        this.#isResolving = false
        this.#giveUp()
      },
    )
  }

  #adopt(addresses: Address[]): void {
    this.#isResolving = false
    if (this.#isClosed) return
    this.#staleAt = this.#target.mayChange ? performance.now() + resolvedMsMax : Number.POSITIVE_INFINITY
    const old = this.#endpoints
    const isSame = (one: Address, other: Address): boolean => one.host === other.host && one.port === other.port
    this.#endpoints = addresses.map(
      (address) =>
        old.find((known) => isSame(known.address, address)) ?? { address, endpoint: this.#endpoint(address) },
    )
    for (const known of old) if (!this.#endpoints.includes(known)) known.endpoint.close()
    this.#free()
    this.#drain()
    this.#giveUp()
  }

  #endpoint(address: Address): Endpoint {
    return new Endpoint(address, this.#tls, {
      onRoom: () => {
        if (this.#waiting.size > 0) this.#drain()
      },
      onDown: (reason) => {
        this.#reason = reason
        // Whoever went may have come back elsewhere.
        if (this.#target.mayChange) this.#staleAt = Math.min(this.#staleAt, performance.now() + 1_000)
        if (this.#waiting.size === 0) return
        this.#drain()
        this.#giveUp()
      },
    })
  }
}
