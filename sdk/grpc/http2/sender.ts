/** How streams are sent: header blocks at once, data as the peer's windows and the socket have room. */
import {
  ConnectionError,
  errorCode,
  flag,
  frame,
  frameBytesMax,
  frameType,
  headerBytes,
  windowMax,
  writeFrameHeader,
} from './frames.ts'
import type { Output } from './output.ts'
import type { Http2Stream } from './stream.ts'

/** What may lie in the socket before data waits with us. */
const backlogBytes = 262_144
/** Data up to this size is copied behind its frame's header. */
const copiedBytesMax = 1_024
const nothing = Buffer.alloc(0)
/** HPACK's table size update to 0. */
const noTable = Buffer.of(0x20)

export class Sender {
  readonly #output: Output
  /** Called when our side of a stream is closed. */
  readonly #onEnd: (stream: Http2Stream) => void
  readonly #blocked = new Set<Http2Stream>()
  #window = 65_535
  /** False if the peer must be told that we keep no header table (RFC 7541, section 4.2); true once it was. */
  keepsTable = true

  constructor(output: Output, onEnd: (stream: Http2Stream) => void) {
    this.#output = output
    this.#onEnd = onEnd
  }

  sendHeaders(stream: Http2Stream, headers: Buffer, isEnd: boolean): void {
    const block = this.keepsTable ? headers : Buffer.concat([noTable, headers])
    this.keepsTable = true
    const end = isEnd ? flag.endStream : 0
    if (block.length <= frameBytesMax) {
      this.#output.write(frame(frameType.headers, flag.endHeaders | end, stream.id, block))
    } else {
      this.#output.write(frame(frameType.headers, end, stream.id, block.subarray(0, frameBytesMax)))
      for (let at = frameBytesMax; at < block.length; at += frameBytesMax) {
        const part = block.subarray(at, at + frameBytesMax)
        const last = at + part.length === block.length ? flag.endHeaders : 0
        this.#output.write(frame(frameType.continuation, last, stream.id, part))
      }
    }
    if (isEnd) this.#end(stream)
  }

  /** Sends of what is pending as much as there is room for; the rest goes when there is more. */
  pump(stream: Http2Stream): void {
    const { pending } = stream
    while (pending.length > 0) {
      const bytes = pending[0]!
      const room = Math.min(this.#window, stream.sendWindow, frameBytesMax)
      if (room <= 0 || this.#output.backlog > backlogBytes) {
        this.#blocked.add(stream)
        return
      }
      const part = bytes.length <= room ? bytes : bytes.subarray(0, room)
      if (part === bytes) pending.shift()
      else pending[0] = bytes.subarray(room)
      this.#window -= part.length
      stream.sendWindow -= part.length
      const isEnd = pending.length === 0 && stream.ending === 'end'
      this.#sendData(stream.id, part, isEnd)
      if (isEnd) {
        this.#end(stream)
        return
      }
    }
    if (stream.ending === 'end') {
      this.#sendData(stream.id, nothing, true)
      this.#end(stream)
    } else if (stream.ending) this.sendHeaders(stream, stream.ending, true)
  }

  /** The connection's window has grown. */
  widen(bytes: number): void {
    this.#window += bytes
    if (this.#window > windowMax) throw new ConnectionError(errorCode.flowControlError, 'a window is too large')
    this.pumpAll()
  }

  /** The stream's window has grown. */
  pumpIfBlocked(stream: Http2Stream): void {
    if (!this.#blocked.delete(stream)) return
    this.pump(stream)
    if (stream.isDrained) stream.listener.onDrain?.()
  }

  /** There is room again, for one or another. */
  pumpAll(): void {
    for (const stream of Array.from(this.#blocked)) this.pumpIfBlocked(stream)
  }

  forget(stream: Http2Stream): void {
    stream.pending.length = 0
    this.#blocked.delete(stream)
  }

  #sendData(streamId: number, payload: Buffer, isEnd: boolean): void {
    const flags = isEnd ? flag.endStream : 0
    if (payload.length <= copiedBytesMax) {
      this.#output.write(frame(frameType.data, flags, streamId, payload))
      return
    }
    const head = Buffer.allocUnsafe(headerBytes)
    writeFrameHeader(head, 0, payload.length, frameType.data, flags, streamId)
    this.#output.write(head)
    this.#output.write(payload)
  }

  #end(stream: Http2Stream): void {
    stream.isLocalClosed = true
    this.#onEnd(stream)
  }
}
