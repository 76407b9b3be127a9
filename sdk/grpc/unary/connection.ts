/** A connection that sends whole requests and wants whole answers. It knows nothing of gRPC. */
import type { Socket } from 'node:net'
import { Http2Connection } from '../http2/connection.ts'
import { errorCode } from '../http2/frames.ts'
import type { Headers } from '../http2/hpack.ts'
import type { Http2Stream } from '../http2/stream.ts'

/** One request and whoever waits for its answer. */
export interface Exchange {
  /** The header block of the request, and its whole body. */
  readonly head: Buffer
  readonly body: Buffer
  onHeaders(headers: Headers, isEnd: boolean): void
  /** A view that stays good. */
  onData(data: Buffer, isEnd: boolean): void
  /** The peer ended the stream with an HTTP/2 error code. */
  onReset(code: number): void
  /** The connection is gone. */
  onLost(reason: string): void
}

export interface ConnectionEvents {
  /** The peer is ready for requests. */
  onReady(): void
  /** A stream ended, so another may begin. */
  onRoom(): void
  /** No new request can be sent any more. */
  onEnd(reason: string): void
}

const keepaliveMs = 20_000
const keepaliveTimeoutMs = 10_000

export class Connection {
  readonly #events: ConnectionEvents
  readonly #http2: Http2Connection
  #isReady = false
  #isEnding = false
  #reason = 'the connection was lost'
  #bytesBefore = 0
  #keepalive: NodeJS.Timeout

  /** Takes a connected socket, TLS handshake included. */
  constructor(socket: Socket, events: ConnectionEvents) {
    this.#events = events
    this.#http2 = new Http2Connection({
      socket,
      role: 'client',
      onGoaway: () => this.#end('the server is going away'),
      onRoom: () => this.#onRoom(),
      onClose: (error) => this.#onClose(error),
    })
    this.#keepalive = this.#watchLife()
  }

  /** Whether a request can be sent at once. */
  get hasRoom(): boolean {
    return this.#isReady && !this.#isEnding && this.#http2.streamCount < this.#http2.peer.concurrentStreamsMax
  }

  /** Sends a request; ask `hasRoom` before. */
  start(exchange: Exchange): Http2Stream {
    if (this.#http2.streamCount === 0) this.#http2.socket.ref()
    const stream = this.#http2.open({
      onHeaders: (headers, isEnd) => {
        if (headers) exchange.onHeaders(headers, isEnd)
        else {
          stream.reset(errorCode.cancel)
          exchange.onReset(errorCode.enhanceYourCalm)
        }
        if (isEnd) finish(stream)
      },
      onData: (data, isEnd) => {
        stream.consume(data.length)
        exchange.onData(data, isEnd)
        if (isEnd) finish(stream)
      },
      onAbort: (code) => {
        if (code === undefined) exchange.onLost(this.#reason)
        else exchange.onReset(code)
      },
    })
    stream.writeHeaders(exchange.head)
    stream.writeLast(exchange.body)
    if (!this.#http2.hasIds) this.#end('all stream numbers are used')
    return stream
  }

  /** Sends nothing new, and closes once the streams have ended. */
  close(): void {
    this.#end('the channel was closed')
  }

  /** Closes at once; streams are told that they were lost. */
  destroy(reason: string): void {
    this.#reason = reason
    this.#http2.socket.destroy()
  }

  #onRoom(): void {
    const { streamCount, socket } = this.#http2
    if (streamCount === 0) {
      // Nobody waits here for a process that has nothing else to do.
      socket.unref()
      if (this.#isEnding) return this.#http2.close()
    }
    if (this.#isReady) return this.#events.onRoom()
    this.#isReady = true
    this.#events.onReady()
  }

  #onClose(error: Error | undefined): void {
    clearTimeout(this.#keepalive)
    if (error) this.#reason = error.message
    this.#end(this.#reason)
  }

  #end(reason: string): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#events.onEnd(reason)
    if (this.#http2.streamCount === 0) this.#http2.close()
  }

  #watchLife(): NodeJS.Timeout {
    return setTimeout(() => this.#checkLife(), keepaliveMs).unref()
  }

  /** Finds out whether a silent peer is alive, while somebody waits for it. */
  #checkLife(): void {
    const isDoubtful = this.#http2.streamCount > 0 && this.#isSilent()
    if (!isDoubtful) {
      this.#keepalive = this.#watchLife()
      return
    }
    void this.#http2.ping()
    this.#keepalive = setTimeout(() => {
      if (this.#isSilent()) this.destroy('the server does not answer any more')
      else this.#keepalive = this.#watchLife()
    }, keepaliveTimeoutMs).unref()
  }

  /** True if nothing came since this was asked last. */
  #isSilent(): boolean {
    const { bytesRead } = this.#http2.socket
    const isSilent = bytesRead === this.#bytesBefore
    this.#bytesBefore = bytesRead
    return isSilent
  }
}

/** The answer can be there before the request is through: what is left of that is not wanted. */
function finish(stream: Http2Stream): void {
  if (!stream.isLocalClosed) stream.reset(errorCode.noError)
}
