/** The public HTTP port: limits of the transport, security headers, request ids, `/healthz`, and a stop that drains. */
import { randomUUID } from 'node:crypto'
import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { status } from '@grpc/grpc-js'
import { listenError, splitAddress } from '@flowforge/runtime/listen'
import { refusal } from './refusal.ts'
import type { Transcoder } from './transcoder/transcoder.ts'

export interface HttpServer {
  readonly port: number
  /** Lets requests finish for `graceMs`, ends streams, then closes what is left. */
  stop(graceMs: number): Promise<void>
}

const securityHeaders: readonly (readonly [string, string])[] = [
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ['referrer-policy', 'no-referrer'],
  ['cache-control', 'no-store'],
]

/** Starts to listen; `wrap` runs around each request, for tracing. */
export async function startHttpServer(
  listen: string,
  transcoder: Transcoder,
  wrap: (request: IncomingMessage, serve: () => Promise<void>) => Promise<void>,
): Promise<HttpServer> {
  let isStopping = false
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    prepare(request, response)
    if (isStopping) response.setHeader('connection', 'close')
    if (request.url === '/healthz') return void response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n')
    void wrap(request, () => transcoder.handle(request, response))
  }
  const server = createServer(
    {
      // Slow-loris: a head must be there within 10 s, a whole request within 60.
      headersTimeout: 10_000,
      requestTimeout: 60_000,
      connectionsCheckingInterval: 2_000,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 16_384,
      noDelay: true,
    },
    onRequest,
  )
  server.maxHeadersCount = 100
  // Answered like any other: the body of `Expect: 100-continue` is asked for only once the request is admitted.
  server.on('checkContinue', onRequest)
  server.on('clientError', refuseSocket)
  const closeIdle = idleCloser(server)
  await listening(server, listen)
  return {
    port: (server.address() as AddressInfo).port,
    async stop(graceMs) {
      isStopping = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      closeIdle()
      transcoder.endStreams(refusal(status.UNAVAILABLE, 'STOPPING', 'the gateway is stopping; try again'))
      const force = setTimeout(() => server.closeAllConnections(), graceMs)
      // A connection that was busy above becomes idle later and is not closed by that alone.
      const sweep = setInterval(closeIdle, 50)
      await closed
      clearTimeout(force)
      clearInterval(sweep)
    },
  }
}

/** Prepares the closing of connections that wait for nothing. Node spares those on which nothing ever came, so we look for them. */
function idleCloser(server: Server): () => void {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return () => {
    server.closeIdleConnections()
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  }
}

function prepare(request: IncomingMessage, response: ServerResponse): void {
  const given = request.headers['x-request-id']
  const id = typeof given === 'string' && /^[\w.:/+=-]{1,128}$/.test(given) ? given : randomUUID()
  request.headers['x-request-id'] = id
  response.setHeader('x-request-id', id)
  for (const [name, value] of securityHeaders) response.setHeader(name, value)
}

function listening(server: Server, listen: string): Promise<void> {
  const { host, port } = splitAddress(listen)
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(listen, error)))
    server.listen(port, host, 4_096, resolve)
  })
}

/** What is no HTTP gets an answer of its own, since no request exists that could be answered. */
function refuseSocket(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const code = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
  const body = JSON.stringify({
    error: { code, message: 'the request is not HTTP as we understand it', status: 'INVALID_ARGUMENT', details: [] },
  })
  socket.end(
    `HTTP/1.1 ${code} ${STATUS_CODES[code]}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
