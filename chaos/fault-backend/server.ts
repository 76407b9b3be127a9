/** A gRPC server that knows no method and answers each with the same status: an upstream that is there and does not work. */
import { readFileSync } from 'node:fs'
import { createSecureServer, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface FaultBackendOptions {
  host: string
  port: number
  /** The number of the gRPC status. */
  code: number
  /** How long each call waits for it. */
  delayMs: number
  /** The folder with ca.pem, certificate.pem and key.pem of whom it stands in for; without it, plaintext for a mesh. */
  certificates?: string | undefined
}

export interface FaultBackend {
  port: number
  /** Calls so far, health checks left out. */
  calls(): number
  close(): void
}

// So that a mesh or a kubelet sends calls here at all.
const healthPath = '/grpc.health.v1.Health/Check'
/** `HealthCheckResponse{status: SERVING}` as a length-prefixed message. */
const serving = Buffer.from([0, 0, 0, 0, 2, 8, 1])

/** Listens until it is closed. */
export async function startFaultBackend(options: FaultBackendOptions): Promise<FaultBackend> {
  const { host, port, code, delayMs, certificates } = options
  let calls = 0
  const server = createHttp2(certificates)
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', (session) => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    session.on('error', () => {
      // The caller has gone; nothing is owed to it.
    })
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {
      // The call was cancelled.
    })
    stream.resume()
    if (headers[':path'] === healthPath) return answerHealth(stream)
    calls += 1
    void answer(stream, code, delayMs)
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    calls: () => calls,
    close() {
      server.close()
      for (const session of sessions) session.destroy()
    },
  }
}

function createHttp2(certificates: string | undefined): Http2Server {
  if (certificates === undefined) return createServer()
  const read = (name: string) => readFileSync(join(certificates, name))
  return createSecureServer({
    ca: read('ca.pem'),
    cert: read('certificate.pem'),
    key: read('key.pem'),
    requestCert: true,
  }) as unknown as Http2Server
}

async function answer(stream: ServerHttp2Stream, code: number, delayMs: number): Promise<void> {
  if (delayMs > 0) await delay(delayMs)
  if (stream.destroyed) return
  const status = { 'grpc-status': String(code), 'grpc-message': 'this backend always fails' }
  stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...status }, { endStream: true })
}

function answerHealth(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.end(serving)
}
