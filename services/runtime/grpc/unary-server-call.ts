import { EventEmitter } from 'node:events'
import type { handleUnaryCall, Metadata, ServerUnaryCall } from '@grpc/grpc-js'
import { code } from '@flowforge/grpc/code'
import type { Headers } from '@flowforge/grpc/http2/hpack'
import type { StreamListener } from '@flowforge/grpc/http2/stream'
import { framed, MessageFault, MessageReader } from '@flowforge/grpc/message'
import { CallFacts, deadlineExceeded, refusalOf, type CallOptions } from './call-facts.ts'
import { encodeHeadWith, encodeOk, encodeStatus, responseHead, type EndStatus } from './response.ts'

/** A unary call as grpc-js' handlers know it. */
export class UnaryServerCall extends EventEmitter implements StreamListener {
  cancelled = false
  request: unknown
  readonly facts: CallFacts
  readonly #options: CallOptions
  readonly #handler: handleUnaryCall<unknown, unknown>
  readonly #reader: MessageReader
  readonly #timer: NodeJS.Timeout | undefined
  #head = responseHead
  #isStarted = false
  #isOver = false

  constructor(options: CallOptions, handler: handleUnaryCall<unknown, unknown>, isEnd: boolean) {
    super()
    this.#options = options
    this.#handler = handler
    this.facts = new CallFacts(options)
    this.#reader = new MessageReader(options.requestBytesMax)
    this.#timer = this.facts.startTimer(() => this.#expire())
    if (isEnd) this.#start()
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
    this.#head = encodeHeadWith(metadata)
  }

  /** Trailers of the request; gRPC has none. */
  onHeaders(_: Headers | undefined, isEnd: boolean): void {
    if (isEnd) this.#start()
  }

  onData(chunk: Buffer, isEnd: boolean): void {
    this.#options.stream.consume(chunk.length)
    if (this.#isOver) return
    try {
      this.#reader.push(chunk)
      if (isEnd) this.#start()
      // Refuses what is too large before all of it is here.
      else if (!this.#isStarted) this.#reader.check()
    } catch (error) {
      if (!(error instanceof MessageFault)) throw error
      this.#fail(refusalOf(error))
    }
  }

  onAbort(): void {
    this.#cancel()
    this.#end()
  }

  #start(): void {
    if (this.#isStarted || this.#isOver) return
    this.#isStarted = true
    const message = this.#reader.next()
    if (!message || !this.#reader.isBetween)
      return this.#fail({ code: code.unimplemented, details: 'the request must have exactly one message' })
    this.request = this.#options.definition.requestDeserialize(message as Buffer)
    this.#handler(this as unknown as ServerUnaryCall<unknown, unknown>, (error, response, trailers) => {
      if (error) this.#fail(statusOf(error))
      else this.#succeed(response, trailers)
    })
  }

  #succeed(response: unknown, trailers: Metadata | undefined): void {
    if (this.#isOver) return
    let message: Buffer
    try {
      message = framed(this.#options.definition.responseSerialize(response))
    } catch {
      // The serializer has logged why.
      return this.#fail({ code: code.internal, details: 'the response could not be encoded' })
    }
    this.#end()
    const { stream } = this.#options
    stream.writeHeaders(this.#head)
    stream.write(message)
    stream.end(encodeOk(trailers))
  }

  #fail(status: EndStatus): void {
    if (this.#isOver) return
    this.#end()
    this.#options.stream.end(encodeStatus(status))
  }

  #expire(): void {
    this.#cancel()
    this.#fail(deadlineExceeded)
  }

  #cancel(): void {
    if (this.#isOver || this.cancelled) return
    this.cancelled = true
    this.emit('cancelled', 'cancelled')
  }

  #end(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }
}

/** grpc-js lets a handler fail with parts of a status. */
export function statusOf(error: Partial<EndStatus> & { message?: string }): EndStatus {
  return {
    code: error.code ?? code.unknown,
    details: error.details ?? error.message ?? 'Unknown Error',
    metadata: error.metadata,
  }
}
