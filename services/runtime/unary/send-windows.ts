/** What HTTP/2's flow control still allows to send (RFC 9113, section 5.2), and the bodies that wait for it. */
import {
  ConnectionError,
  errorCode,
  frameBytesMax,
  frameFlag,
  frameHeadBytes,
  frameType,
  writeFrameHead,
} from './frames.ts'

const windowMax = 0x7fff_ffff

interface Outgoing {
  body: Buffer
  sent: number
  window: number
}

export class SendWindows {
  readonly #write: (bytes: Buffer) => void
  /** In the order in which they came: whoever waits longest goes first. */
  readonly #waiting = new Map<number, Outgoing>()
  #initial = 65_535
  #connection = 65_535

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write
  }

  /** Sends a stream's body, and its end; what does not fit the windows follows when they grow. */
  send(id: number, body: Buffer): void {
    const outgoing = { body, sent: 0, window: this.#initial }
    this.#push(id, outgoing)
    if (outgoing.sent < body.length) this.#waiting.set(id, outgoing)
  }

  isSending(id: number): boolean {
    return this.#waiting.has(id)
  }

  forget(id: number): void {
    this.#waiting.delete(id)
  }

  /** The peer takes more: of one stream, or of all together when `id` is 0. */
  grow(id: number, bytes: number): void {
    if (id === 0) {
      this.#connection += bytes
      if (this.#connection > windowMax) throw new ConnectionError(errorCode.flowControl, 'the window is too large')
      this.#pushAll()
      return
    }
    const outgoing = this.#waiting.get(id)
    if (outgoing === undefined) return
    outgoing.window += bytes
    this.#pushWaiting(id, outgoing)
  }

  /** The peer changes with what window each stream begins, and that of those under way by as much. */
  resize(initial: number): void {
    if (initial > windowMax) throw new ConnectionError(errorCode.flowControl, 'the window is too large')
    const change = initial - this.#initial
    this.#initial = initial
    for (const outgoing of this.#waiting.values()) outgoing.window += change
    this.#pushAll()
  }

  #pushAll(): void {
    for (const [id, outgoing] of this.#waiting) this.#pushWaiting(id, outgoing)
  }

  #pushWaiting(id: number, outgoing: Outgoing): void {
    this.#push(id, outgoing)
    if (outgoing.sent === outgoing.body.length) this.#waiting.delete(id)
  }

  #push(id: number, outgoing: Outgoing): void {
    const { body } = outgoing
    for (;;) {
      const length = Math.min(body.length - outgoing.sent, outgoing.window, this.#connection, frameBytesMax)
      if (length <= 0) return
      const end = outgoing.sent + length
      const bytes = Buffer.allocUnsafe(frameHeadBytes + length)
      const isLast = end === body.length
      writeFrameHead(bytes, 0, length, frameType.data, isLast ? frameFlag.endStream : 0, id)
      body.copy(bytes, frameHeadBytes, outgoing.sent, end)
      this.#write(bytes)
      outgoing.sent = end
      outgoing.window -= length
      this.#connection -= length
      if (isLast) return
    }
  }
}
