/** One stream of an HTTP/2 connection: a request with its answer. */
import type { Http2Connection } from './connection.ts'
import type { Headers } from './hpack.ts'

/** Who hears of what the peer does with a stream. */
export interface StreamListener {
  /** Headers or, the second time, trailers; undefined if they were more than we take. */
  onHeaders(headers: Headers | undefined, isEnd: boolean): void
  onData(chunk: Buffer, isEnd: boolean): void
  /** All that was written has left us. */
  onDrain?(): void
  /** The stream has ended before its time: with an error code, or (undefined) with its connection. */
  onAbort(code: number | undefined): void
}

/** What the connection keeps of a stream. Who uses it calls `write`, `end`, `reset` and `consume`. */
export class Http2Stream {
  readonly id: number
  readonly connection: Http2Connection
  listener!: StreamListener
  /** How much the peer still takes. */
  sendWindow: number
  /** What was received and consumed, but not yet given back to the peer's window. */
  unreturned = 0
  /** What the peer may still send. */
  receiveWindow: number
  isLocalClosed = false
  isRemoteClosed = false
  readonly pending: Buffer[] = []
  /** What is sent when nothing is pending any more: trailers, or just the end. */
  ending: Buffer | 'end' | undefined

  constructor(connection: Http2Connection, id: number, sendWindow: number, receiveWindow: number) {
    this.connection = connection
    this.id = id
    this.sendWindow = sendWindow
    this.receiveWindow = receiveWindow
  }

  /** True while nothing that was written waits for the peer's window. */
  get isDrained(): boolean {
    return this.pending.length === 0
  }

  /** Sends an encoded header block. */
  writeHeaders(block: Buffer): void {
    if (!this.isLocalClosed) this.connection.sender.sendHeaders(this, block, false)
  }

  /** Sends bytes as soon as the peer takes them. They must not be changed afterwards. */
  write(bytes: Buffer): void {
    if (this.isLocalClosed || this.ending) return
    this.pending.push(bytes)
    if (this.pending.length === 1) this.connection.sender.pump(this)
  }

  /** Closes our side, after all that was written: with an encoded block of trailers, or without. */
  end(trailers?: Buffer): void {
    if (this.isLocalClosed || this.ending) return
    this.ending = trailers ?? 'end'
    this.connection.sender.pump(this)
  }

  /** Sends bytes and closes our side with them. */
  writeLast(bytes: Buffer): void {
    if (this.isLocalClosed || this.ending) return
    this.pending.push(bytes)
    this.end()
  }

  /** Ends the stream at once, in both directions. */
  reset(code: number): void {
    this.connection.resetStream(this, code)
  }

  /** So many bytes were used: the peer may send as many more. */
  consume(bytes: number): void {
    this.connection.consumed(this, bytes)
  }
}
