/** One client's connection: which calls it makes, how long it may live, and how it is told to go elsewhere. */
import type { Socket } from 'node:net'
import type { handleBidiStreamingCall, handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js'
import { code } from '@flowforge/grpc/code'
import { Http2Connection } from '@flowforge/grpc/http2/connection'
import { errorCode } from '@flowforge/grpc/http2/frames'
import type { Headers } from '@flowforge/grpc/http2/hpack'
import type { Http2Stream, StreamListener } from '@flowforge/grpc/http2/stream'
import { readRequestHead, type FaultyHead, type RequestHead } from './request-head.ts'
import { encodeHttpAnswer, encodeStatus } from './response.ts'
import type { Route } from './server.ts'
import { StreamServerCall } from './stream-call.ts'
import { UnaryServerCall } from './unary-server-call.ts'

export interface ServerConnectionOptions {
  socket: Socket
  requestBytesMax: number
  routeOf: (path: string) => Route | undefined
  onClose: () => void
}

const streamsMax = 10_000
const helloMsMax = 10_000
const keepaliveMs = 20_000
const keepaliveTimeoutMs = 10_000
/** A connection's identity is as old as the connection. Its calls may end in peace. */
const ageMs = 60 * 60 * 1_000
const anyId = 0x7fffffff

export class ServerConnection {
  readonly socket: Socket
  readonly #options: ServerConnectionOptions
  readonly #http2: Http2Connection
  readonly #keepalive: NodeJS.Timeout
  readonly #age: NodeJS.Timeout
  readonly #hello: NodeJS.Timeout
  /** What the last headers say: the next ones are often the same, and then the same object. */
  #last: { headers: Headers; head: RequestHead | FaultyHead } | undefined
  #isDraining = false
  /** The client knows that it must not send more. */
  #isDrained = false

  constructor(options: ServerConnectionOptions) {
    this.#options = options
    this.socket = options.socket
    this.#http2 = new Http2Connection({
      socket: options.socket,
      role: 'server',
      streamsMax,
      onStream: (stream, headers, isEnd) => this.#onStream(stream, headers, isEnd),
      onRoom: () => this.#onRoom(),
      onClose: () => this.#onClose(),
    })
    this.#keepalive = setInterval(() => this.#askWhetherAlive(), keepaliveMs).unref()
    // So that clients which connected together do not reconnect together.
    this.#age = setTimeout(() => this.drain(), ageMs * (0.9 + 0.2 * Math.random())).unref()
    // Who opens a connection and says nothing is not kept.
    this.#hello = setTimeout(() => this.socket.destroy(), helloMsMax).unref()
  }

  /** Sends the client elsewhere; calls that it sends before it hears of that are served. */
  drain(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    this.#http2.goaway(anyId)
    void this.#http2.ping().then(() => {
      this.#http2.goaway()
      this.#isDrained = true
      this.#closeIfDrained()
    })
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** The client has sent its settings, or a call has ended. */
  #onRoom(): void {
    clearTimeout(this.#hello)
    this.#closeIfDrained()
  }

  #closeIfDrained(): void {
    if (this.#isDrained && this.#http2.streamCount === 0) this.#http2.close()
  }

  #askWhetherAlive(): void {
    const late = setTimeout(() => this.socket.destroy(), keepaliveTimeoutMs).unref()
    void this.#http2.ping().then(() => clearTimeout(late))
  }

  #onClose(): void {
    clearInterval(this.#keepalive)
    clearTimeout(this.#age)
    clearTimeout(this.#hello)
    this.#options.onClose()
  }

  #onStream(stream: Http2Stream, headers: Headers | undefined, isEnd: boolean): StreamListener {
    if (!headers) {
      const status = { code: code.resourceExhausted, details: 'the request has too large headers' }
      return answerAtEnd(stream, encodeStatus(status), isEnd)
    }
    const head = this.#headOf(headers)
    if (head.fault !== undefined) {
      if (head.fault !== 'malformed') return answerAtEnd(stream, encodeHttpAnswer(head.fault), isEnd)
      stream.reset(errorCode.protocolError)
      return ignored
    }
    const route = this.#options.routeOf(head.path)
    if (!route) {
      const status = { code: code.unimplemented, details: `${head.path} is not served here` }
      return answerAtEnd(stream, encodeStatus(status), isEnd)
    }
    const { definition, handler } = route
    const options = { stream, head, definition, connection: this, requestBytesMax: this.#options.requestBytesMax }
    if (!definition.responseStream) {
      return new UnaryServerCall(options, handler as handleUnaryCall<unknown, unknown>, isEnd)
    }
    const start = handler as handleBidiStreamingCall<unknown, unknown> & handleServerStreamingCall<unknown, unknown>
    return new StreamServerCall(options, start, isEnd)
  }

  #headOf(headers: Headers): RequestHead | FaultyHead {
    if (this.#last?.headers !== headers) this.#last = { headers, head: readRequestHead(headers) }
    return this.#last.head
  }
}

/** Answers without a look at what the request carries. */
function answerAtEnd(stream: Http2Stream, answer: Buffer, isEnd: boolean): StreamListener {
  if (isEnd) stream.end(answer)
  return {
    onHeaders: () => stream.end(answer),
    onData(chunk, isLast) {
      stream.consume(chunk.length)
      if (isLast) stream.end(answer)
    },
    onAbort() {},
  }
}

/** Hears of a stream that is over already. */
const ignored: StreamListener = { onHeaders() {}, onData() {}, onAbort() {} }
