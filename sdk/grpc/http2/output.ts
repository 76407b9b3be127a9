import type { Socket } from 'node:net'

/** How long what can wait does so for company. */
const lazyMs = 5

/** A peer that makes us answer and does not read is cut off at this. */
const backlogBytesMax = 4_194_304

/**
 * What goes into a socket. Everything that is written within one turn of the event loop leaves as one piece, whichever
 * sockets made us write it: many small messages cost one system call.
 */
export class Output {
  readonly #socket: Socket
  readonly #onOverflow: () => void
  #pieces: Buffer[] = []
  #isScheduled = false
  #isTimed = false
  #isOver = false

  /** @param onOverflow Called when the peer takes nothing of far too much. */
  constructor(socket: Socket, onOverflow: () => void) {
    this.#socket = socket
    this.#onOverflow = onOverflow
  }

  /** Bytes that the socket has not got rid of. */
  get backlog(): number {
    return this.#socket.writableLength
  }

  write(bytes: Buffer): void {
    if (this.#isOver) return
    this.#pieces.push(bytes)
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.flush())
  }

  /** Writes what nobody waits for: it goes with whatever is written next, soon in any case. */
  writeLazily(bytes: Buffer): void {
    if (this.#isOver) return
    this.#pieces.push(bytes)
    // The timer goes on when something takes these along: one for each would cost as much as the system call.
    if (this.#isTimed) return
    this.#isTimed = true
    setTimeout(() => {
      this.#isTimed = false
      this.flush()
    }, lazyMs).unref()
  }

  /** Sends now what was written. */
  flush(): void {
    this.#isScheduled = false
    const pieces = this.#pieces
    if (this.#isOver || pieces.length === 0) return
    this.#pieces = []
    this.#socket.write(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces))
    if (this.backlog > backlogBytesMax) this.#onOverflow()
  }

  /** Writes nothing more. */
  end(): void {
    this.#isOver = true
    this.#pieces = []
  }
}
