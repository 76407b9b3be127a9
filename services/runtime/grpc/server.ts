/**
 * A gRPC server on our own HTTP/2, for the handlers that grpc-js' server takes. A unary call costs a quarter of the CPU
 * time that it costs there: docs/decisions say what was measured.
 */
import { createServer as createPlainServer, type Server as NetServer, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import type { MethodDefinition, ServiceDefinition, UntypedHandleCall } from '@grpc/grpc-js'
import { ServerConnection } from './server-connection.ts'

/** What a server encrypts with. */
export interface ServerTls {
  current(): Pick<TlsOptions, 'ca' | 'cert' | 'key'>
  /** Calls `listener` when `current` has changed, until the returned function is called. */
  onRenewed(listener: () => void): () => void
}

export interface GrpcServerOptions {
  /** The largest request message that is taken. */
  requestBytesMax: number
  /** Plaintext if undefined. */
  tls: ServerTls | undefined
}

/** An RPC and who handles it. */
export interface Route {
  definition: MethodDefinition<unknown, unknown>
  handler: UntypedHandleCall
}

const handshakeTimeoutMs = 10_000

export class GrpcServer {
  readonly #options: GrpcServerOptions
  readonly #routes = new Map<string, Route>()
  readonly #connections = new Set<ServerConnection>()
  #fallback: Route['handler'] | undefined
  #server: NetServer | undefined
  #forgetRenewals: () => void = () => undefined
  #isDraining = false
  readonly #drained = Promise.withResolvers<void>()

  constructor(options: GrpcServerOptions) {
    this.#options = options
  }

  addService(definition: ServiceDefinition, handlers: Record<string, UntypedHandleCall>): void {
    for (const [name, method] of Object.entries(definition)) {
      const handler = handlers[name]
      if (handler) this.#routes.set(method.path, { definition: method, handler })
    }
  }

  /** Handles, as a bidirectional stream of bytes, the RPCs that no service has; without it they are UNIMPLEMENTED. */
  setFallback(handler: UntypedHandleCall): void {
    this.#fallback = handler
  }

  /** Resolves with the port; rejects with the error of `listen`. */
  listen(host: string, port: number): Promise<number> {
    const server = this.#createServer()
    this.#server = server
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port }, () => {
        server.off('error', reject)
        server.on('error', () => undefined)
        resolve((server.address() as { port: number }).port)
      })
    })
  }

  /** Takes no new connection and no new call; resolves when the last call has ended and everything is closed. */
  drain(): Promise<void> {
    this.#isDraining = true
    this.#forgetRenewals()
    this.#server?.close()
    for (const connection of this.#connections) connection.drain()
    this.#endIfDrained()
    return this.#drained.promise
  }

  /** Closes everything at once. */
  destroy(): void {
    for (const connection of this.#connections) connection.destroy()
  }

  #createServer(): NetServer {
    const { tls } = this.#options
    const accept = (socket: Socket): void => this.#accept(socket)
    if (!tls) return createPlainServer({ noDelay: true }, accept)
    const mutual = { requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['h2'] }
    const server = createTlsServer({ ...tls.current(), ...mutual, handshakeTimeout: handshakeTimeoutMs }, accept)
    this.#forgetRenewals = tls.onRenewed(() => server.setSecureContext(tls.current()))
    // Who cannot prove who it is learns so by the handshake; there is nothing to tell us.
    server.on('tlsClientError', () => undefined)
    return server
  }

  #accept(socket: Socket): void {
    if (this.#isDraining) return void socket.destroy()
    const connection: ServerConnection = new ServerConnection({
      socket,
      requestBytesMax: this.#options.requestBytesMax,
      routeOf: (path) => this.#routes.get(path) ?? this.#fallbackFor(path),
      onClose: () => {
        this.#connections.delete(connection)
        this.#endIfDrained()
      },
    })
    this.#connections.add(connection)
  }

  #fallbackFor(path: string): Route | undefined {
    const asIs = (bytes: unknown): Buffer => bytes as Buffer
    const handler = this.#fallback
    if (!handler) return undefined
    const bytes = {
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    }
    return { definition: { path, requestStream: true, responseStream: true, ...bytes }, handler }
  }

  #endIfDrained(): void {
    if (this.#isDraining && this.#connections.size === 0) this.#drained.resolve()
  }
}
