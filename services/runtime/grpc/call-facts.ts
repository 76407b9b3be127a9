/** What grpc-js' calls tell of themselves, told alike by unary calls and streams. */
import type { TLSSocket } from 'node:tls'
import type { Metadata, MethodDefinition } from '@grpc/grpc-js'
import { code } from '@flowforge/grpc/code'
import type { Http2Stream } from '@flowforge/grpc/http2/stream'
import { MessageFault } from '@flowforge/grpc/message'
import { metadataOf, type RequestHead } from './request-head.ts'
import type { EndStatus } from './response.ts'
import type { ServerConnection } from './server-connection.ts'

export interface CallOptions {
  stream: Http2Stream
  head: RequestHead
  definition: MethodDefinition<unknown, unknown>
  connection: ServerConnection
  requestBytesMax: number
}

export class CallFacts {
  readonly connection: ServerConnection
  readonly deadline: number
  readonly #head: RequestHead
  #metadata: Metadata | undefined

  constructor({ head, connection }: CallOptions) {
    this.#head = head
    this.connection = connection
    this.deadline = head.timeoutMs === Infinity ? Infinity : Date.now() + head.timeoutMs
  }

  get metadata(): Metadata {
    this.#metadata ??= metadataOf(this.#head.headers)
    return this.#metadata
  }

  get authContext(): { transportSecurityType?: string; sslPeerCertificate?: object } {
    const { socket } = this.connection
    if (!('getPeerCertificate' in socket)) return {}
    return { transportSecurityType: 'ssl', sslPeerCertificate: (socket as TLSSocket).getPeerCertificate() }
  }

  get peer(): string {
    const { remoteAddress, remotePort } = this.connection.socket
    return `${remoteAddress}:${remotePort}`
  }

  /** Calls `expire` at the deadline; the answer is for `clearTimeout`. */
  startTimer(expire: () => void): NodeJS.Timeout | undefined {
    const { timeoutMs } = this.#head
    return timeoutMs < 0x7fffffff ? setTimeout(expire, timeoutMs) : undefined
  }
}

/** The connection that a call of ours came by. */
export function connectionOf(call: object): ServerConnection {
  return (call as { facts: CallFacts }).facts.connection
}

export const deadlineExceeded: EndStatus = { code: code.deadlineExceeded, details: 'the deadline has passed' }

/** What a client is told whose message we do not take. */
export function refusalOf(fault: MessageFault): EndStatus {
  return { code: fault.kind === 'too-large' ? code.resourceExhausted : code.unimplemented, details: fault.message }
}
