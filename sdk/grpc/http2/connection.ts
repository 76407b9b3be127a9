/**
 * One HTTP/2 connection (RFC 9113), of either side, over a socket that is connected. Priorities are read over, as
 * RFC 9113 says; pushes are refused.
 */
import type { Socket } from 'node:net'
import {
  checkPriority,
  ConnectionError,
  errorCode,
  expectBytes,
  flag,
  frame,
  FrameReader,
  frameType,
  numberFrame,
  preface,
  protocolError,
  setting,
  settingsFrame,
  StreamError,
  windowMax,
  withoutPadding,
} from './frames.ts'
import { HeaderBlocks, type HeaderBlock } from './header-blocks.ts'
import { HeaderDecoder, type Headers } from './hpack.ts'
import { OpenStreams } from './open-streams.ts'
import { Output } from './output.ts'
import { Sender } from './sender.ts'
import { PeerSettings } from './settings.ts'
import { Http2Stream, type StreamListener } from './stream.ts'
import { Turns } from './turns.ts'

export interface ConnectionOptions {
  socket: Socket
  role: 'client' | 'server'
  /** Server: streams that the peer may have open at a time. */
  streamsMax?: number
  /** Server: a request begins; answers with who hears of it. Its headers are undefined if they were more than we take. */
  onStream?: (stream: Http2Stream, headers: Headers | undefined, isEnd: boolean) => StreamListener
  /** The peer takes no new stream any more. */
  onGoaway?: () => void
  /** The peer may take more streams than before, or a stream has ended. */
  onRoom?: () => void
  /** The connection is gone; with the reason, if it was not in peace. */
  onClose: (error: Error | undefined) => void
}

const headerListBytesMax = 16_384
const streamWindow = 1_048_576
const connectionWindow = 16_777_216
const defaultWindow = 65_535
/** Streams that we ended and whose last frames may still be under way. */
const lateMax = 1_000

export class Http2Connection {
  readonly socket: Socket
  readonly peer = new PeerSettings()
  readonly sender: Sender
  readonly #options: ConnectionOptions
  readonly #output: Output
  readonly #streams = new OpenStreams()
  readonly #decoder = new HeaderDecoder(headerListBytesMax)
  readonly #blocks = new HeaderBlocks()
  readonly #reader = new FrameReader((type, flags, id, payload) => this.#receive(type, flags, id, payload))
  /** Streams that we ended: what still comes for them is no fault. */
  readonly #late = new Set<number>()
  /** Bounds how fast streams may be opened and reset, as nghttp2 does. */
  readonly #resets = new Turns(1_000, 33)
  readonly #pings: (() => void)[] = []
  #receiveWindow = connectionWindow
  /** What was used of the window, and not yet given back. */
  #unreturned = 0
  #lastPeerId = 0
  #nextId = 1
  #goawayId = windowMax
  /** Server: what has come of the client's preface, until it is whole. */
  #preface: Buffer | undefined
  #hasSettings = false
  #isClosing = false
  #isClosed = false

  constructor(options: ConnectionOptions) {
    const { socket, role } = options
    this.#options = options
    this.socket = socket
    this.#output = new Output(socket, () => this.#fail(errorCode.enhanceYourCalm, 'the peer does not read'))
    this.sender = new Sender(this.#output, (stream) => this.#onLocalEnd(stream))
    if (role === 'client') this.#output.write(preface)
    else this.#preface = Buffer.alloc(0)
    this.#output.write(
      settingsFrame([
        [setting.initialWindowSize, streamWindow],
        [setting.maxHeaderListSize, headerListBytesMax],
        role === 'client' ? [setting.enablePush, 0] : [setting.maxConcurrentStreams, options.streamsMax ?? windowMax],
      ]),
    )
    this.#output.write(numberFrame(frameType.windowUpdate, 0, connectionWindow - defaultWindow))
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#onBytes(chunk))
    socket.on('drain', () => this.sender.pumpAll())
    socket.on('error', (error) => this.#closed(error))
    socket.on('close', () => this.#closed(undefined))
    socket.on('end', () => this.#closed(undefined))
  }

  get streamCount(): number {
    return this.#streams.size
  }

  get isClosed(): boolean {
    return this.#isClosed || this.#isClosing
  }

  /** Client: whether there are numbers left for streams. */
  get hasIds(): boolean {
    return this.#nextId < windowMax
  }

  /** Client: opens a stream, whose headers the caller sends at once. Ask `hasIds` before. */
  open(listener: StreamListener): Http2Stream {
    const stream = new Http2Stream(this, this.#nextId, this.peer.initialWindow, streamWindow)
    this.#nextId += 2
    stream.listener = listener
    this.#streams.add(stream)
    return stream
  }

  /** Resolves with the answer to a ping; never, if there is none. */
  ping(): Promise<void> {
    this.#output.write(frame(frameType.ping, 0, 0, Buffer.alloc(8)))
    return new Promise((resolve) => this.#pings.push(resolve))
  }

  /** Tells the peer that streams above this id are not taken; above the last one we know, if there is none. */
  goaway(lastStreamId = this.#lastPeerId): void {
    this.#goawayId = lastStreamId
    this.#output.write(numberFrame(frameType.goaway, 0, lastStreamId, errorCode.noError))
  }

  /** Sends what is written and closes the socket; streams that are open end with it. */
  close(): void {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#output.flush()
    this.socket.end()
    setTimeout(() => this.socket.destroy(), 1_000).unref()
  }

  /** Ends a stream at once, in both directions. */
  resetStream(stream: Http2Stream, code: number): void {
    if (!this.#streams.get(stream.id)) return
    this.#output.write(numberFrame(frameType.rstStream, stream.id, code))
    this.#remember(stream.id)
    this.#forget(stream)
  }

  /** So many bytes of a stream were used: they go back to the windows when half of one is used up. */
  consumed(stream: Http2Stream, bytes: number): void {
    this.#giveBack(bytes)
    stream.unreturned += bytes
    if (stream.isRemoteClosed || stream.unreturned <= streamWindow / 2) return
    this.#output.write(numberFrame(frameType.windowUpdate, stream.id, stream.unreturned))
    stream.receiveWindow += stream.unreturned
    stream.unreturned = 0
  }

  #giveBack(bytes: number): void {
    this.#unreturned += bytes
    if (this.#unreturned <= connectionWindow / 2) return
    this.#output.write(numberFrame(frameType.windowUpdate, 0, this.#unreturned))
    this.#receiveWindow += this.#unreturned
    this.#unreturned = 0
  }

  #onBytes(chunk: Buffer): void {
    if (this.isClosed) return
    try {
      const bytes = this.#preface ? this.#afterPreface(chunk) : chunk
      if (bytes) this.#reader.push(bytes)
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error
      this.#fail(error.code, error.message)
    }
  }

  #afterPreface(chunk: Buffer): Buffer | undefined {
    const bytes = Buffer.concat([this.#preface!, chunk])
    const length = Math.min(bytes.length, preface.length)
    if (!bytes.subarray(0, length).equals(preface.subarray(0, length))) throw protocolError('this is not HTTP/2')
    this.#preface = length < preface.length ? bytes : undefined
    return this.#preface ? undefined : bytes.subarray(length)
  }

  #receive(type: number, flags: number, id: number, payload: Buffer): void {
    if (this.isClosed) return
    this.#blocks.expect(type, id)
    if (!this.#hasSettings && type !== frameType.settings) throw protocolError('SETTINGS must come first')
    try {
      this.#dispatch(type, flags, id, payload)
    } catch (error) {
      if (!(error instanceof StreamError)) throw error
      this.#output.write(numberFrame(frameType.rstStream, error.streamId, error.code))
      this.#remember(error.streamId)
      const stream = this.#streams.get(error.streamId)
      if (stream) this.#abort(stream, error.code)
    }
  }

  #dispatch(type: number, flags: number, id: number, payload: Buffer): void {
    switch (type) {
      case frameType.data:
        return this.#onData(flags, id, payload)
      case frameType.headers:
        return this.#onBlock(this.#blocks.begin(id, flags, payload))
      case frameType.continuation:
        return this.#onBlock(this.#blocks.goOn(flags, payload))
      case frameType.rstStream:
        return this.#onRstStream(id, payload)
      case frameType.settings:
        return this.#onSettings(flags, id, payload)
      case frameType.ping:
        return this.#onPing(flags, id, payload)
      case frameType.goaway:
        return this.#onGoaway(id, payload)
      case frameType.windowUpdate:
        return this.#onWindowUpdate(id, payload)
      case frameType.priority:
        return checkPriority(id, payload)
      case frameType.pushPromise:
        throw protocolError('nobody may push')
    }
  }

  #onBlock(block: HeaderBlock | undefined): void {
    if (!block) return
    const { id, isEndOfStream: isEnd } = block
    const headers = this.#decoder.decode(block.bytes)
    const stream = this.#streams.get(id)
    if (!stream) {
      this.#onNewStream(id, headers, isEnd)
      return
    }
    if (stream.isRemoteClosed) throw new StreamError(id, errorCode.streamClosed, 'HEADERS after the end')
    if (this.#options.role === 'server' && (!isEnd || headers?.some((name, i) => i % 2 === 0 && name.startsWith(':'))))
      throw new StreamError(id, errorCode.protocolError, 'trailers must end a stream, and have no pseudo-headers')
    stream.isRemoteClosed = isEnd
    stream.listener.onHeaders(headers, isEnd)
    this.#forgetIfClosed(stream)
  }

  #onNewStream(id: number, headers: Headers | undefined, isEnd: boolean): void {
    const { role, onStream, streamsMax = windowMax } = this.#options
    if (this.#late.has(id)) return
    if (role === 'client' || id % 2 === 0) throw protocolError('a stream that the peer must not open')
    if (id <= this.#lastPeerId) throw new ConnectionError(errorCode.streamClosed, 'HEADERS of a closed stream')
    // We have said so: the peer sends it again to somebody else.
    if (id > this.#goawayId) return
    this.#lastPeerId = id
    if (this.#streams.size >= streamsMax) throw new StreamError(id, errorCode.refusedStream, 'too many streams')
    const stream = new Http2Stream(this, id, this.peer.initialWindow, streamWindow)
    stream.isRemoteClosed = isEnd
    this.#streams.add(stream)
    stream.listener = onStream!(stream, headers, isEnd)
  }

  #onData(flags: number, id: number, payload: Buffer): void {
    if (id === 0) throw protocolError('DATA of no stream')
    this.#receiveWindow -= payload.length
    if (this.#receiveWindow < 0)
      throw new ConnectionError(errorCode.flowControlError, 'more data than the connection’s window')
    const data = withoutPadding(flags, payload)
    const stream = this.#streams.get(id)
    if (!stream || stream.isRemoteClosed) {
      if (this.#isIdle(id)) throw protocolError('DATA of a stream that is not open')
      this.#giveBack(payload.length)
      if (this.#late.has(id) || id > this.#goawayId) return
      throw new StreamError(id, errorCode.streamClosed, 'DATA of a closed stream')
    }
    stream.receiveWindow -= payload.length
    if (stream.receiveWindow < 0)
      throw new StreamError(id, errorCode.flowControlError, 'more data than the stream’s window')
    const isEnd = (flags & flag.endStream) !== 0
    stream.isRemoteClosed = isEnd
    if (payload.length > data.length) stream.consume(payload.length - data.length)
    stream.listener.onData(data, isEnd)
    this.#forgetIfClosed(stream)
  }

  #onRstStream(id: number, payload: Buffer): void {
    expectBytes(payload, 4, 'RST_STREAM')
    if (id === 0 || this.#isIdle(id)) throw protocolError('RST_STREAM of a stream that is not open')
    if (this.#options.role === 'server' && !this.#resets.take())
      throw new ConnectionError(errorCode.enhanceYourCalm, 'too many streams are reset')
    const stream = this.#streams.get(id)
    if (stream) this.#abort(stream, payload.readUInt32BE(0))
  }

  #onSettings(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) throw protocolError('SETTINGS of a stream')
    if (flags & flag.ack) return expectBytes(payload, 0, 'an acknowledgement of SETTINGS')
    const before = this.peer.initialWindow
    this.peer.update(payload)
    this.sender.keepsTable = this.peer.keepsTable
    this.#hasSettings = true
    this.#output.write(frame(frameType.settings, flag.ack, 0, Buffer.alloc(0)))
    for (const stream of this.#streams.all()) {
      stream.sendWindow += this.peer.initialWindow - before
      if (stream.sendWindow > windowMax) throw new ConnectionError(errorCode.flowControlError, 'a window is too large')
    }
    this.sender.pumpAll()
    this.#options.onRoom?.()
  }

  #onPing(flags: number, id: number, payload: Buffer): void {
    if (id !== 0) throw protocolError('PING of a stream')
    expectBytes(payload, 8, 'PING')
    // Answers come in the order of the questions.
    if (flags & flag.ack) this.#pings.shift()?.()
    else this.#output.writeLazily(frame(frameType.ping, flag.ack, 0, payload))
  }

  #onGoaway(id: number, payload: Buffer): void {
    if (id !== 0) throw protocolError('GOAWAY of a stream')
    if (payload.length < 8) expectBytes(payload, 8, 'GOAWAY')
    const lastStreamId = payload.readUInt32BE(0) & windowMax
    this.#options.onGoaway?.()
    if (this.#options.role === 'server') return
    for (const stream of this.#streams.all()) if (stream.id > lastStreamId) this.#abort(stream, errorCode.refusedStream)
  }

  #onWindowUpdate(id: number, payload: Buffer): void {
    expectBytes(payload, 4, 'WINDOW_UPDATE')
    const increment = payload.readUInt32BE(0) & windowMax
    if (id === 0) {
      if (increment === 0) throw protocolError('a window grows by nothing')
      return this.sender.widen(increment)
    }
    if (this.#isIdle(id)) throw protocolError('WINDOW_UPDATE of a stream that is not open')
    if (increment === 0) throw new StreamError(id, errorCode.protocolError, 'a window grows by nothing')
    const stream = this.#streams.get(id)
    if (!stream) return
    stream.sendWindow += increment
    if (stream.sendWindow > windowMax) throw new StreamError(id, errorCode.flowControlError, 'a window is too large')
    this.sender.pumpIfBlocked(stream)
  }

  #isIdle(id: number): boolean {
    const isOurs = (id % 2 === 1) === (this.#options.role === 'client')
    return isOurs ? id >= this.#nextId : id > this.#lastPeerId && id <= this.#goawayId
  }

  #onLocalEnd(stream: Http2Stream): void {
    // An answer that is complete ends the stream, whatever the client still means to send.
    if (this.#options.role === 'server' && !stream.isRemoteClosed) this.resetStream(stream, errorCode.noError)
    else this.#forgetIfClosed(stream)
  }

  #forgetIfClosed(stream: Http2Stream): void {
    if (stream.isLocalClosed && stream.isRemoteClosed) this.#forget(stream)
  }

  #forget(stream: Http2Stream): void {
    stream.isLocalClosed = true
    stream.isRemoteClosed = true
    this.sender.forget(stream)
    if (this.#streams.delete(stream.id)) this.#options.onRoom?.()
  }

  #abort(stream: Http2Stream, code: number | undefined): void {
    this.#forget(stream)
    stream.listener.onAbort(code)
  }

  #remember(id: number): void {
    this.#late.add(id)
    if (this.#late.size > lateMax) for (const oldest of this.#late) return void this.#late.delete(oldest)
  }

  /** Tells the peer what it did wrong, and closes. */
  #fail(code: number, message: string): void {
    if (this.isClosed) return
    this.#output.write(numberFrame(frameType.goaway, 0, this.#lastPeerId, code))
    this.close()
    this.#closed(new ConnectionError(code, message))
  }

  #closed(error: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#output.end()
    if (!this.#isClosing) this.socket.destroy()
    for (const stream of this.#streams.all()) this.#abort(stream, undefined)
    this.#options.onClose(error)
  }
}
