/** One unary gRPC call: its request as HTTP/2 wants it, its answer as gRPC means it. */
import { Metadata, status, type ServiceError } from '@grpc/grpc-js'
import { errorCode } from '../http2/frames.ts'
import { encodeHeaders, header, type Headers } from '../http2/hpack.ts'
import type { Http2Stream } from '../http2/stream.ts'
import { framed } from '../message.ts'
import { decodeMessage } from '../status-message.ts'
import { formatTimeout } from '../timeout.ts'
import type { Connection, Exchange } from './connection.ts'
import { statusOfHttp, statusOfReset } from './status-of.ts'
import { markUnsent } from './unsent.ts'

/** How a call ended: an error, or the answer's bytes; `headers` if the server sent any of its own. */
export type UnaryEnd = (error: ServiceError | null, answer: Buffer | undefined, headers: Metadata | undefined) => void

/** One call, ready to be sent. */
export interface UnaryRequest {
  /** `/package.Service/Method`. */
  readonly path: string
  readonly message: Uint8Array
  readonly metadata: Metadata
  /** Epoch ms, or Infinity. */
  readonly deadline: number
}

/** Whoever finds connections for calls. */
export interface CallOwner {
  /** The headers of every call of this path, encoded. */
  headOf(path: string): Buffer
  /** Sends a call again that the server did not look at; false when that is not possible any more. */
  sendAgain(call: UnaryCall): boolean
  forget(call: UnaryCall): void
  readonly answerBytesMax: number
}

// setTimeout takes no more than this.
const timerMsMax = 2_147_483_647
const messageHeadBytes = 5

/** What gRPC and HTTP/2 say among themselves, which is not the service's metadata. */
const protocolHeaders = new Set([
  ':status',
  'content-type',
  'date',
  'grpc-status',
  'grpc-message',
  'grpc-encoding',
  'grpc-accept-encoding',
  'accept-encoding',
])

export class UnaryCall implements Exchange {
  readonly head: Buffer
  readonly body: Buffer
  /** How often it was sent. */
  attempts = 0
  readonly #owner: CallOwner
  readonly #deadline: number
  readonly #end: UnaryEnd
  #timer: NodeJS.Timeout | undefined
  #stream: Http2Stream | undefined
  #headers: Headers | undefined
  #chunks: Buffer[] = []
  #bytes = 0
  #isOver = false

  constructor({ path, message, metadata, deadline }: UnaryRequest, owner: CallOwner, end: UnaryEnd) {
    this.#owner = owner
    this.#end = end
    this.#deadline = deadline
    this.body = framed(message)
    const leftMs = Math.max(1, Math.ceil(deadline - Date.now()))
    this.head = Buffer.concat([owner.headOf(path), encodeHeaders(ownHeaders(metadata, leftMs))])
    if (deadline !== Number.POSITIVE_INFINITY) this.#startTimer(leftMs)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Sends it on a connection that has room. */
  sendOn(connection: Connection): void {
    this.attempts++
    this.#stream = connection.start(this)
  }

  /** The caller does not want the answer any more. */
  cancel(): void {
    process.nextTick(() => this.#abandon(status.CANCELLED, 'the call was cancelled'))
  }

  /** Ends it with an error of our own. */
  fail(code: number, details: string): void {
    this.#finish(failure(code, details, new Metadata()), undefined)
  }

  onHeaders(headers: Headers, isEnd: boolean): void {
    if (isEnd) return this.#onTrailers(headers)
    const httpStatus = Number(header(headers, ':status'))
    // Nothing but "go on" has a code below 200; the answer follows.
    if (httpStatus < 200) return
    this.#headers = headers
    if (httpStatus !== 200 && header(headers, 'grpc-status') === undefined)
      this.#abandon(statusOfHttp(httpStatus), `the answer is HTTP ${httpStatus} and not gRPC`)
  }

  onData(data: Buffer, isEnd: boolean): void {
    this.#bytes += data.length
    this.#chunks.push(data)
    const announced = this.#announcedBytes()
    if (announced !== undefined && announced > this.#owner.answerBytesMax) {
      const allowed = this.#owner.answerBytesMax
      this.#abandon(status.RESOURCE_EXHAUSTED, `the answer has ${announced} bytes, of which ${allowed} are allowed`)
    } else if (isEnd) this.fail(status.INTERNAL, 'the answer ended without a status')
  }

  onReset(code: number): void {
    if (code === errorCode.refusedStream && this.#owner.sendAgain(this)) return
    this.fail(statusOfReset(code), `the server reset the call with code ${code}`)
  }

  onLost(reason: string): void {
    this.fail(status.UNAVAILABLE, reason)
  }

  #onTrailers(trailers: Headers): void {
    const code = header(trailers, 'grpc-status')
    if (code === undefined || !/^\d{1,3}$/.test(code)) {
      const httpStatus = Number(header(this.#headers ?? trailers, ':status'))
      const known = httpStatus === 200 ? status.UNKNOWN : statusOfHttp(httpStatus)
      return this.fail(known, `the answer is HTTP ${httpStatus} without a gRPC status`)
    }
    if (code !== '0') {
      const message = decodeMessage(header(trailers, 'grpc-message') ?? '')
      return this.#finish(failure(Number(code), message, toMetadata(trailers) ?? new Metadata()), undefined)
    }
    const chunk = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#bytes)
    if (chunk.length === 0) return this.fail(status.UNIMPLEMENTED, 'the answer holds no message')
    if (chunk[0] !== 0) return this.fail(status.INTERNAL, 'the answer is compressed, which nobody asked for')
    if (this.#announcedBytes() !== chunk.length - messageHeadBytes)
      return this.fail(status.INTERNAL, 'the answer is not one whole message')
    this.#finish(null, chunk.subarray(messageHeadBytes))
  }

  #announcedBytes(): number | undefined {
    if (this.#bytes < messageHeadBytes) return undefined
    const [first] = this.#chunks
    if (first!.length >= messageHeadBytes) return first!.readUInt32BE(1)
    const joined = Buffer.concat(this.#chunks, this.#bytes)
    this.#chunks = [joined]
    return joined.readUInt32BE(1)
  }

  #startTimer(leftMs: number): void {
    this.#timer = setTimeout(
      () => {
        const stillMs = this.#deadline - Date.now()
        if (stillMs > 0) this.#startTimer(Math.ceil(stillMs))
        else this.#abandon(status.DEADLINE_EXCEEDED, 'the deadline passed before the answer came')
      },
      Math.min(leftMs, timerMsMax),
    )
  }

  #abandon(code: number, details: string): void {
    if (this.#isOver) return
    this.#stream?.reset(errorCode.cancel)
    this.fail(code, details)
  }

  #finish(error: ServiceError | null, answer: Buffer | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#owner.forget(this)
    if (error?.code === status.UNAVAILABLE && this.attempts === 0) markUnsent(error)
    this.#end(error, answer, this.#headers && toMetadata(this.#headers))
  }
}

/** The headers of all calls of one path to one server. */
export function headOfPath(path: string, scheme: 'http' | 'https', authority: string): Buffer {
  const pseudo = [':method', 'POST', ':scheme', scheme, ':path', path, ':authority', authority]
  return encodeHeaders([...pseudo, 'te', 'trailers', 'content-type', 'application/grpc', 'user-agent', 'flowforge'])
}

function ownHeaders(metadata: Metadata, leftMs: number): Headers {
  const headers: Headers = leftMs === Number.POSITIVE_INFINITY ? [] : ['grpc-timeout', formatTimeout(leftMs)]
  for (const [key, values] of Object.entries(metadata.toHttp2Headers())) {
    for (const value of Array.isArray(values) ? values : [values]) headers.push(key, String(value))
  }
  return headers
}

/** What the service itself said; undefined when it said nothing. */
function toMetadata(headers: readonly string[]): Metadata | undefined {
  let metadata: Metadata | undefined
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!
    if (protocolHeaders.has(name)) continue
    metadata ??= new Metadata()
    const value = headers[at + 1]!
    // Several values of one key may be joined by commas, which base64 does not have.
    if (name.endsWith('-bin')) for (const one of value.split(',')) metadata.add(name, Buffer.from(one, 'base64'))
    else metadata.add(name, value)
  }
  return metadata
}

function failure(code: number, details: string, metadata: Metadata): ServiceError {
  return Object.assign(new Error(`${code} ${status[code] ?? 'UNKNOWN'}: ${details}`), { code, details, metadata })
}
