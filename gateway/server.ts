/** The public HTTP port: limits of the transport, TLS, and a stop that drains. */
import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { status } from '@grpc/grpc-js'
import { splitAddress } from '@flowforge/grpc/split-address'
import { listenError } from '@flowforge/runtime/listen'
import type { Logger } from '@flowforge/runtime/log'
import { HeldResponse } from './held-response.ts'
import { errorDomain } from './refusal.ts'
import { followTls, readTls, type TlsFiles } from './tls.ts'
import { RpcError } from './transcoder/transcoder.ts'

export interface HttpServer {
  readonly port: number
  /** Asks with each answer to close its connection, so that callers come back elsewhere before this port is gone. */
  leave(): void
  /** Lets requests finish for `graceMs`, ends streams, then closes what is left. */
  stop(graceMs: number): Promise<void>
}

export interface HttpServerOptions {
  readonly listen: string
  readonly tls: TlsFiles | undefined
  readonly headerBytesMax: number
  /** How long the head of a request may take to come. */
  readonly headTimeoutMs: number
  /** More than these at a time are closed as they come. */
  readonly connectionsMax: number
  /** A connection on which nothing moves for so long, in either direction, is closed. */
  readonly silenceMsMax: number
  readonly log: Logger
  /** Answers a request; never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
  /** Ends what would not end by itself; called when the server begins to stop. */
  endStreams(): void
}

/** Starts to listen. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  let isLeaving = false
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (isLeaving) response.setHeader('connection', 'close')
    void options.handle(request, response)
  }
  const limits = {
    // Slow-loris: also a whole request must be there within 60 s.
    headersTimeout: options.headTimeoutMs,
    requestTimeout: 60_000,
    connectionsCheckingInterval: options.headTimeoutMs / 5,
    keepAliveTimeout: 65_000,
    maxHeaderSize: options.headerBytesMax,
    noDelay: true,
    ServerResponse: HeldResponse,
  }
  const { tls } = options
  const secure =
    tls && createTlsServer({ ...limits, ...readTls(tls), minVersion: 'TLSv1.2', handshakeTimeout: 10_000 }, onRequest)
  const server: Server = secure ?? createServer(limits, onRequest)
  const unfollow = secure && followTls(secure, tls!, options.log)
  server.maxHeadersCount = 100
  server.maxConnections = options.connectionsMax
  // Who asks for much and does not read holds its answer in our memory.
  server.setTimeout(options.silenceMsMax)
  // Answered like any other: the body of `Expect: 100-continue` is asked for only once the request is admitted.
  server.on('checkContinue', onRequest)
  server.on('clientError', refuseSocket)
  const closeIdle = idleCloser(server)
  await listening(server, options.listen)
  return {
    port: (server.address() as AddressInfo).port,
    leave: () => void (isLeaving = true),
    async stop(graceMs) {
      isLeaving = true
      unfollow?.()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      closeIdle()
      options.endStreams()
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
  const refused = brokenRequest(error.code).withInfo(errorDomain)
  const body = JSON.stringify({ error: refused })
  socket.end(
    `HTTP/1.1 ${refused.httpStatus} ${STATUS_CODES[refused.httpStatus]}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

/** What is wrong with a request of which there is no whole head, by Node's code of it. */
function brokenRequest(code: string | undefined): RpcError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new RpcError(status.RESOURCE_EXHAUSTED, 'the head of the request is too large', {
        httpStatus: 431,
        reason: 'HEAD_TOO_LARGE',
      })
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new RpcError(status.DEADLINE_EXCEEDED, 'the request did not come in time', {
        httpStatus: 408,
        reason: 'REQUEST_TOO_SLOW',
      })
    default:
      return new RpcError(status.INVALID_ARGUMENT, 'the request is not HTTP as we understand it', {
        reason: 'MALFORMED_REQUEST',
      })
  }
}
