import { Duplex } from 'node:stream'
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  Metadata,
  ServerDuplexStream,
  ServerWritableStream,
} from '@grpc/grpc-js'
import { code } from '@flowforge/grpc/code'
import type { Headers } from '@flowforge/grpc/http2/hpack'
import type { StreamListener } from '@flowforge/grpc/http2/stream'
import { framed, MessageFault, MessageReader } from '@flowforge/grpc/message'
import { CallFacts, deadlineExceeded, refusalOf, type CallOptions } from './call-facts.ts'
import { encodeHeadWith, encodeStatus, encodeTrailers, responseHead, type EndStatus } from './response.ts'
import { statusOf } from './unary-server-call.ts'

type Handler = handleBidiStreamingCall<unknown, unknown> & handleServerStreamingCall<unknown, unknown>

/** A server stream or a bidirectional one, as grpc-js' handlers know it: `emit('error', status)` ends it with that. */
export class StreamServerCall extends Duplex implements StreamListener {
  cancelled = false
  request: unknown
  readonly facts: CallFacts
  readonly #options: CallOptions
  readonly #handler: Handler
  readonly #reader: MessageReader
  readonly #timer: NodeJS.Timeout | undefined
  #isStarted = false
  #head = responseHead
  #isHeadSent = false
  #status: EndStatus = { code: code.ok, details: 'OK' }
  /** Bytes that were received and that the reader of messages has not got to. */
  #unread = 0
  #hasRoom = true
  #isRequestOver = false
  #afterWrite: (() => void) | undefined

  constructor(options: CallOptions, handler: Handler, isEnd: boolean) {
    super({ objectMode: true })
    this.#options = options
    this.#handler = handler
    this.facts = new CallFacts(options)
    this.#reader = new MessageReader(options.requestBytesMax)
    this.#timer = this.facts.startTimer(() => this.#expire())
    this.on('error', (error) => this.#endWith(statusOf(error)))
    if (options.definition.requestStream) this.#start()
    if (isEnd) this.#endRequest()
  }

  get metadata(): Metadata {
    return this.facts.metadata
  }

  getPeer(): string {
    return this.facts.peer
  }

  getDeadline(): number {
    return this.facts.deadline
  }

  getAuthContext(): object {
    return this.facts.authContext
  }

  getPath(): string {
    return this.#options.definition.path
  }

  getHost(): string {
    return this.#options.head.authority
  }

  sendMetadata(metadata: Metadata): void {
    if (this.#isHeadSent) return
    this.#head = encodeHeadWith(metadata)
    this.#sendHead()
  }

  override end(trailers?: unknown): this {
    if (trailers) this.#status = { ...this.#status, metadata: trailers as Metadata }
    return super.end()
  }

  /** Trailers of the request; gRPC has none. */
  onHeaders(_: Headers | undefined, isEnd: boolean): void {
    if (isEnd) this.#endRequest()
  }

  onData(chunk: Buffer, isEnd: boolean): void {
    if (this.destroyed) return this.#options.stream.consume(chunk.length)
    this.#reader.push(chunk)
    this.#unread += chunk.length
    this.#read()
    if (isEnd) this.#endRequest()
  }

  onDrain(): void {
    const done = this.#afterWrite
    this.#afterWrite = undefined
    done?.()
  }

  onAbort(): void {
    if (this.destroyed) return
    this.#cancel()
    this.destroy()
  }

  override _read(): void {
    this.#hasRoom = true
    this.#read()
  }

  override _write(response: unknown, _: BufferEncoding, done: (error?: Error) => void): void {
    let message: Buffer
    try {
      message = framed(this.#options.definition.responseSerialize(response))
    } catch {
      // The serializer has logged why.
      done()
      return this.#endWith({ code: code.internal, details: 'the response could not be encoded' })
    }
    this.#sendHead()
    const { stream } = this.#options
    stream.write(message)
    if (stream.isDrained || stream.isLocalClosed) done()
    else this.#afterWrite = done
  }

  override _final(done: () => void): void {
    clearTimeout(this.#timer)
    const { stream } = this.#options
    stream.end(this.#isHeadSent ? encodeTrailers(this.#status) : encodeStatus(this.#status))
    done()
    // Nobody reads on once the call has its status.
    process.nextTick(() => this.destroy())
  }

  override _destroy(_: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer)
    done(null)
  }

  #start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.#handler(this as unknown as ServerDuplexStream<unknown, unknown> & ServerWritableStream<unknown, unknown>)
  }

  /** Hands on what has come whole, while the reader has room; only then the client may send more. */
  #read(): void {
    const { definition, stream } = this.#options
    try {
      while (this.#hasRoom) {
        const message = this.#reader.next()
        if (!message) break
        const request = definition.requestDeserialize(message as Buffer)
        if (definition.requestStream) this.#hasRoom = this.push(request)
        else this.request = request
      }
    } catch (error) {
      if (!(error instanceof MessageFault)) throw error
      this.#endWith(refusalOf(error))
    }
    if (this.#hasRoom && this.#unread > 0) {
      stream.consume(this.#unread)
      this.#unread = 0
    }
    if (this.#isRequestOver && this.#hasRoom) this.#finishRequest()
  }

  #endRequest(): void {
    this.#isRequestOver = true
    this.#read()
  }

  #finishRequest(): void {
    if (!this.#options.definition.requestStream) {
      if (this.request !== undefined) this.#start()
      else this.#endWith({ code: code.unimplemented, details: 'the request must have exactly one message' })
    } else if (!this.readableEnded) this.push(null)
  }

  #endWith(status: EndStatus): void {
    if (this.writableEnded || this.destroyed) return
    this.#status = status
    super.end()
  }

  #sendHead(): void {
    if (this.#isHeadSent) return
    this.#isHeadSent = true
    this.#options.stream.writeHeaders(this.#head)
  }

  #expire(): void {
    this.#cancel()
    this.#endWith(deadlineExceeded)
  }

  #cancel(): void {
    if (this.cancelled) return
    this.cancelled = true
    this.emit('cancelled', 'cancelled')
  }
}
