/** The answers of the public port. */
import { ServerResponse, type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders } from 'node:http'

/**
 * An answer that holds its headers until its head is written. Node would check, copy and look each of them up as it is
 * set, and go over all of them again in the end. Names are in lower case, and there are no reason phrases.
 */
export class HeldResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  readonly #held: Record<string, OutgoingHttpHeader> = {}

  override setHeader(name: string, value: number | string | readonly string[]): this {
    this.#held[name] = value as OutgoingHttpHeader
    return this
  }

  override getHeader(name: string): OutgoingHttpHeader | undefined {
    return this.#held[name]
  }

  override hasHeader(name: string): boolean {
    return this.#held[name] !== undefined
  }

  override writeHead(status: number, headers?: unknown): this {
    return super.writeHead(status, { ...this.#held, ...(headers as OutgoingHttpHeaders | undefined) })
  }
}
