/** A bare HTTP/1.1 client on one connection, so that the load costs little of the machine that is measured. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Reply {
  status: number
  body: string
}

export class HttpClient {
  readonly #socket: Socket
  #rest = ''
  #waiting: { resolve(reply: Reply): void; reject(error: Error): void } | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#receive(text))
    socket.on('error', (error) => this.#waiting?.reject(error))
    socket.on('close', () => this.#waiting?.reject(new Error('the gateway closed a connection')))
  }

  static async open(port: number): Promise<HttpClient> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    return new HttpClient(socket)
  }

  /** Sends a request that is written already; one at a time. */
  ask(request: Buffer): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#socket.write(request)
    })
  }

  close(): void {
    this.#waiting = undefined
    this.#socket.destroy()
  }

  #receive(text: string): void {
    this.#rest = this.#rest === '' ? text : this.#rest + text
    const head = this.#rest.indexOf('\r\n\r\n')
    if (head < 0) return
    const body = head + 4
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.#rest.slice(0, head))?.[1]
    // The only other form that occurs is chunked.
    const end = length === undefined ? this.#rest.indexOf('0\r\n\r\n', body) + 5 : body + Number(length)
    if (end < body + 5 && length === undefined) return
    if (this.#rest.length < end) return
    const reply = { status: Number(this.#rest.slice(9, 12)), body: this.#rest.slice(body, end) }
    this.#rest = this.#rest.slice(end)
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.resolve(reply)
  }
}
