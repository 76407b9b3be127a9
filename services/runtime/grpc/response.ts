/** What a server answers with, as header blocks. */
import type { Metadata } from '@grpc/grpc-js'
import { code } from '@flowforge/grpc/code'
import { encodeHeaders, type Headers } from '@flowforge/grpc/http2/hpack'
import { encodeMessage } from '@flowforge/grpc/status-message'

/** How a call ends; the parts of grpc-js' StatusObject. */
export interface EndStatus {
  code: number
  details: string
  metadata?: Metadata | undefined
}

const head: Headers = [':status', '200', 'content-type', 'application/grpc+proto', 'grpc-accept-encoding', 'identity']

/** The headers of every answer with a message. */
export const responseHead = encodeHeaders(head)

const okTrailers = encodeHeaders(['grpc-status', String(code.ok)])

/** The trailers of an answer that went well. */
export function encodeOk(metadata: Metadata | undefined): Buffer {
  if (!metadata) return okTrailers
  return Buffer.concat([okTrailers, encodeHeaders(headersOf(metadata))])
}

/** The trailers of an answer, after its headers. */
export function encodeTrailers(status: EndStatus): Buffer {
  return status.code === code.ok ? encodeOk(status.metadata) : encodeHeaders(trailersOf(status))
}

/** The whole answer of a call that ends without a message. */
export function encodeStatus(status: EndStatus): Buffer {
  return Buffer.concat([responseHead, encodeHeaders(trailersOf(status))])
}

/** The answer to a request that is not gRPC. */
export function encodeHttpAnswer(httpStatus: number): Buffer {
  return encodeHeaders([':status', String(httpStatus)])
}

/** What the handler sends along, as the headers of an answer. */
export function encodeHeadWith(metadata: Metadata): Buffer {
  return Buffer.concat([responseHead, encodeHeaders(headersOf(metadata))])
}

function trailersOf(status: EndStatus): Headers {
  const told = ['grpc-status', String(status.code), 'grpc-message', encodeMessage(status.details)]
  return status.metadata ? [...told, ...headersOf(status.metadata)] : told
}

function headersOf(metadata: Metadata): Headers {
  const { toHttp2Headers } = metadata
  const headers: Headers = []
  for (const [name, values] of Object.entries(toHttp2Headers.call(metadata))) {
    for (const value of Array.isArray(values) ? values : [values]) headers.push(name, String(value))
  }
  return headers
}
