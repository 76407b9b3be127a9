/**
 * One HTTP/2 connection of a client that sends whole requests and wants whole answers. It knows streams and flow control
 * but nothing of gRPC.
 *
 * What is written while the event loop handles one batch of events leaves in one piece at its end: calls that start
 * together share a system call and a TLS record.
 */
import type { Socket } from 'node:net'
import {
  ConnectionError,
  contentOf,
  errorCode,
  frame,
  frameBytesMax,
  frameFlag,
  frameHeadBytes,
  FrameReader,
  frameType,
  numberFrame,
  setting,
  writeFrameHead,
} from './frames.ts'
import { emptyTable, HpackDecoder, HpackError } from './hpack.ts'
import { SendWindows } from './send-windows.ts'

/** One request and whoever waits for its answer. */
export interface Exchange {
  /** The header block of the request, and its whole body. */
  readonly head: Buffer
  readonly body: Buffer
  onHeaders(headers: string[], isEnd: boolean): void
  /** A view that stays good; no more than `window` bytes come unasked. */
  onData(data: Buffer, isEnd: boolean): void
  /** The peer ended the stream with an HTTP/2 error code. */
  onReset(code: number): void
  /** The connection is gone, or going; `isUnseen` when the peer is sure not to have acted on the request. */
  onLost(reason: string, isUnseen: boolean): void
}

export interface ConnectionEvents {
  /** The peer is ready for requests. */
  onReady(): void
  /** A stream ended, so another may begin. */
  onRoom(): void
  /** No new request can be sent any more. */
  onEnd(reason: string): void
}

interface Stream {
  readonly exchange: Exchange
  /** Bytes that arrived since the peer was last allowed to send more. */
  unacknowledged: number
}

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
const streamWindow = 1_048_576
const connectionWindow = 16_777_216
// A header block may be spread over many frames.
const headerBlockBytesMax = 131_072
const lastStreamId = 0x7fff_ffff
const keepaliveMs = 20_000
const keepaliveTimeoutMs = 10_000
const noBytes = Buffer.alloc(0)

export class Connection {
  readonly #socket: Socket
  readonly #events: ConnectionEvents
  readonly #reader = new FrameReader((type, flags, stream, payload) => this.#onFrame(type, flags, stream, payload))
  readonly #decoder = new HpackDecoder()
  readonly #streams = new Map<number, Stream>()
  readonly #sending = new SendWindows((bytes) => this.#write(bytes))
  #pending: Buffer[] = []
  #nextId = 1
  #streamsMax = Number.POSITIVE_INFINITY
  #isReady = false
  #isEnding = false
  #isLost = false
  #tableUpdate = noBytes
  /** Of a header block that continues in further frames. */
  #block: { stream: number; isEnd: boolean; parts: Buffer[]; bytes: number } | undefined
  #unacknowledged = 0
  #isSilent = true
  #keepalive: NodeJS.Timeout

  /** Takes a connected socket, TLS handshake included. */
  constructor(socket: Socket, events: ConnectionEvents) {
    this.#socket = socket
    this.#events = events
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.once('close', () => this.#lose('the connection was lost'))
    // 'close' follows and tells the same.
    socket.on('error', () => undefined)
    this.#keepalive = this.#watchLife()
    const settings = Buffer.alloc(12)
    settings.writeUInt16BE(setting.enablePush, 0)
    settings.writeUInt16BE(setting.initialWindowSize, 6)
    settings.writeUInt32BE(streamWindow, 8)
    this.#write(preface)
    this.#write(frame(frameType.settings, 0, 0, settings))
    this.#write(numberFrame(frameType.windowUpdate, 0, connectionWindow - 65_535))
  }

  /** Whether a request can be sent at once. */
  get hasRoom(): boolean {
    return this.#isReady && !this.#isEnding && this.#streams.size < this.#streamsMax
  }

  /** Sends a request; ask `hasRoom` before. Answers the stream's number, for `cancel`. */
  start(exchange: Exchange): number {
    const id = this.#nextId
    this.#nextId += 2
    if (this.#streams.size === 0) this.#socket.ref()
    this.#streams.set(id, { exchange, unacknowledged: 0 })
    this.#writeHead(id, exchange.head)
    this.#sending.send(id, exchange.body)
    if (this.#nextId > lastStreamId) this.#end('all stream numbers are used')
    return id
  }

  /** Forgets a stream whose answer nobody waits for. */
  cancel(id: number): void {
    if (!this.#streams.has(id)) return
    this.#write(numberFrame(frameType.resetStream, id, errorCode.cancel))
    this.#forget(id)
  }

  /** Sends nothing new, and closes once the streams have ended. */
  close(): void {
    this.#end('the channel was closed')
  }

  /** Closes at once; streams are told that they were lost. */
  destroy(reason: string): void {
    this.#lose(reason)
  }

  #receive(chunk: Buffer): void {
    this.#isSilent = false
    try {
      this.#reader.push(chunk)
    } catch (error) {
      const code =
        error instanceof ConnectionError
          ? error.code
          : error instanceof HpackError
            ? errorCode.compression
            : errorCode.internal
      this.#socket.write(Buffer.concat([...this.#pending, goAway(code)]))
      this.#lose((error as Error).message)
    }
  }

  #onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    if (this.#isLost) return
    if (this.#block !== undefined && (type !== frameType.continuation || stream !== this.#block.stream))
      throw new ConnectionError(errorCode.protocol, 'a header block is interrupted')
    switch (type) {
      case frameType.data:
        return this.#onData(flags, stream, payload)
      case frameType.headers:
        return this.#onHeaderPart(stream, flags, contentOf(flags, payload), (flags & frameFlag.endStream) !== 0)
      case frameType.continuation:
        return this.#onHeaderPart(stream, flags, payload, this.#block?.isEnd)
      case frameType.resetStream:
        return this.#onReset(stream, numberIn(payload))
      case frameType.settings:
        return this.#onSettings(flags, payload)
      case frameType.ping:
        if (payload.length !== 8) throw new ConnectionError(errorCode.frameSize, 'a PING has eight bytes')
        if (!(flags & frameFlag.ack)) this.#write(frame(frameType.ping, frameFlag.ack, 0, payload))
        return
      case frameType.goAway:
        return this.#onGoAway(payload)
      case frameType.windowUpdate:
        return this.#sending.grow(stream, numberIn(payload) & 0x7fff_ffff)
      case frameType.pushPromise:
        throw new ConnectionError(errorCode.protocol, 'push is off')
      default:
      // Frames of a kind that we do not know mean nothing to us (RFC 9113, section 4.1).
    }
  }

  #onData(flags: number, id: number, payload: Buffer): void {
    this.#unacknowledged += payload.length
    if (this.#unacknowledged > connectionWindow / 2) {
      this.#write(numberFrame(frameType.windowUpdate, 0, this.#unacknowledged))
      this.#unacknowledged = 0
    }
    const stream = this.#streams.get(id)
    // Of a stream that was cancelled a little more may come.
    if (stream === undefined) return
    const isEnd = (flags & frameFlag.endStream) !== 0
    stream.unacknowledged += payload.length
    if (!isEnd && stream.unacknowledged > streamWindow / 2) {
      this.#write(numberFrame(frameType.windowUpdate, id, stream.unacknowledged))
      stream.unacknowledged = 0
    }
    const data = contentOf(flags & ~frameFlag.priority, payload)
    if (isEnd) this.#finish(id)
    stream.exchange.onData(data, isEnd)
  }

  #onHeaderPart(stream: number, flags: number, part: Buffer, isEnd: boolean | undefined): void {
    if (isEnd === undefined) throw new ConnectionError(errorCode.protocol, 'nothing is there to continue')
    if (flags & frameFlag.endHeaders && this.#block === undefined) return this.#onHeaders(stream, part, isEnd)
    const block = (this.#block ??= { stream, isEnd, parts: [], bytes: 0 })
    block.parts.push(part)
    block.bytes += part.length
    if (block.bytes > headerBlockBytesMax)
      throw new ConnectionError(errorCode.enhanceYourCalm, 'a header block is too large')
    if (!(flags & frameFlag.endHeaders)) return
    this.#block = undefined
    this.#onHeaders(stream, Buffer.concat(block.parts), isEnd)
  }

  #onHeaders(id: number, block: Buffer, isEnd: boolean): void {
    // Decoded in any case: the table must follow what the peer does.
    const headers = this.#decoder.decode(block)
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    if (isEnd) this.#finish(id)
    stream.exchange.onHeaders(headers, isEnd)
  }

  #onReset(id: number, code: number): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    this.#forget(id)
    stream.exchange.onReset(code)
  }

  #onSettings(flags: number, payload: Buffer): void {
    if (flags & frameFlag.ack) return
    if (payload.length % 6 !== 0) throw new ConnectionError(errorCode.frameSize, 'a setting has six bytes')
    for (let at = 0; at < payload.length; at += 6) {
      const value = payload.readUInt32BE(at + 2)
      switch (payload.readUInt16BE(at)) {
        case setting.headerTableSize:
          // RFC 7541, section 4.2: a peer that allows less must be told that we agree.
          if (value < 4_096) this.#tableUpdate = emptyTable
          break
        case setting.maxConcurrentStreams:
          this.#streamsMax = value
          break
        case setting.initialWindowSize:
          this.#sending.resize(value)
          break
        case setting.maxFrameSize:
          // Larger frames than everybody takes would help nobody here.
          break
        default:
        // Settings that we do not know mean nothing to us (RFC 9113, section 6.5.2).
      }
    }
    this.#write(frame(frameType.settings, frameFlag.ack, 0, noBytes))
    if (this.#isReady) return
    this.#isReady = true
    if (this.#streams.size === 0) this.#socket.unref()
    this.#events.onReady()
  }

  #onGoAway(payload: Buffer): void {
    if (payload.length < 8) throw new ConnectionError(errorCode.frameSize, 'a GOAWAY is too short')
    const last = payload.readUInt32BE(0) & 0x7fff_ffff
    this.#end('the server is going away')
    for (const [id, { exchange }] of this.#streams) {
      if (id <= last) continue
      this.#forget(id)
      exchange.onLost('the server is going away', true)
    }
  }

  /** Ends a stream whose answer is complete. */
  #finish(id: number): void {
    // The answer can be there before the request is through: what is left of that is not wanted.
    if (this.#sending.isSending(id)) this.#write(numberFrame(frameType.resetStream, id, errorCode.none))
    this.#forget(id)
  }

  #forget(id: number): void {
    if (!this.#streams.delete(id)) return
    this.#sending.forget(id)
    if (this.#streams.size === 0) {
      if (this.#isEnding) this.#closeSocket()
      else this.#socket.unref()
    }
    this.#events.onRoom()
  }

  #end(reason: string): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#events.onEnd(reason)
    if (this.#streams.size === 0) this.#closeSocket()
  }

  #closeSocket(): void {
    this.#write(goAway(errorCode.none))
    this.#flush()
    this.#socket.end(() => this.#socket.destroy())
  }

  #lose(reason: string): void {
    if (this.#isLost) return
    this.#isLost = true
    clearTimeout(this.#keepalive)
    if (!this.#isEnding) {
      this.#isEnding = true
      this.#events.onEnd(reason)
    }
    this.#socket.destroy()
    const lost = [...this.#streams.values()]
    this.#streams.clear()
    for (const { exchange } of lost) exchange.onLost(reason, false)
  }

  #watchLife(): NodeJS.Timeout {
    return setTimeout(() => this.#checkLife(), keepaliveMs).unref()
  }

  /** Finds out whether a silent peer is alive, while somebody waits for it. */
  #checkLife(): void {
    const isDoubtful = this.#streams.size > 0 && this.#isSilent
    this.#isSilent = true
    if (!isDoubtful) {
      this.#keepalive = this.#watchLife()
      return
    }
    this.#write(frame(frameType.ping, 0, 0, Buffer.alloc(8)))
    this.#keepalive = setTimeout(() => {
      if (this.#isSilent) this.#lose('the server does not answer any more')
      else this.#keepalive = this.#watchLife()
    }, keepaliveTimeoutMs).unref()
  }

  #writeHead(id: number, head: Buffer): void {
    let block = head
    if (this.#tableUpdate.length > 0) {
      block = Buffer.concat([this.#tableUpdate, head])
      this.#tableUpdate = noBytes
    }
    for (let at = 0; at === 0 || at < block.length; at += frameBytesMax) {
      const part = block.subarray(at, at + frameBytesMax)
      const type = at === 0 ? frameType.headers : frameType.continuation
      const bytes = Buffer.allocUnsafe(frameHeadBytes + part.length)
      const isLast = at + frameBytesMax >= block.length
      writeFrameHead(bytes, 0, part.length, type, isLast ? frameFlag.endHeaders : 0, id)
      bytes.set(part, frameHeadBytes)
      this.#write(bytes)
    }
  }

  #write(bytes: Buffer): void {
    if (this.#isLost) return
    if (this.#pending.push(bytes) === 1) setImmediate(() => this.#flush())
  }

  #flush(): void {
    const pending = this.#pending
    if (pending.length === 0 || this.#isLost) return
    this.#pending = []
    this.#socket.write(pending.length === 1 ? pending[0]! : Buffer.concat(pending))
  }
}

function goAway(code: number): Buffer {
  const payload = Buffer.alloc(8)
  payload.writeUInt32BE(code, 4)
  return frame(frameType.goAway, 0, 0, payload)
}

function numberIn(payload: Buffer): number {
  if (payload.length !== 4) throw new ConnectionError(errorCode.frameSize, 'the frame has four bytes')
  return payload.readUInt32BE(0)
}
