/** An HTTP/2 server that a test scripts stream by stream, and the two clients that must behave alike towards it. */
import { once } from 'node:events'
import {
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { UnaryChannel, type UnaryEnd, type UnaryRequest } from '../channel.ts'

export const path = '/example.v1.Library/GetBook'
export const answerBytesMax = 4_000_000

/** What both clients can do. */
export interface Caller {
  call(request: UnaryRequest, end: UnaryEnd): { cancel(): void }
  close(): void
}

const asIs = (bytes: Buffer): Buffer => bytes

/** The ways of making a unary call: grpc-js', which says what is right, and ours. */
export const callers: Record<string, (target: string) => Caller> = {
  'grpc-js'(target) {
    const client = new Client(target, credentials.createInsecure(), {
      'grpc.max_receive_message_length': answerBytesMax,
      'grpc.max_send_message_length': -1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.use_local_subchannel_pool': 1,
    })
    return {
      call({ path: method, message, metadata, deadline }, end) {
        let headers: Metadata | undefined
        const options = deadline === Number.POSITIVE_INFINITY ? {} : { deadline }
        return client
          .makeUnaryRequest(method, asIs, asIs, Buffer.from(message), metadata, options, (error, answer) =>
            end(error, answer, headers),
          )
          .once('metadata', (received: Metadata) => {
            headers = received
          })
      },
      close: () => client.close(),
    }
  },
  'the unary channel': (target) => new UnaryChannel({ target, tls: undefined, answerBytesMax, attemptsMax: 5 }),
}

export interface Ended {
  error: ServiceError | null
  answer: Buffer | undefined
  headers: Metadata | undefined
}

/** Calls and waits for the end, whatever it is. */
export function ask(caller: Caller, request: Partial<UnaryRequest> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const defaults = { path, message: Buffer.from('ask'), metadata: new Metadata(), deadline: Date.now() + 10_000 }
    caller.call({ ...defaults, ...request }, (error, answer, headers) => resolve({ error, answer, headers }))
  })
}

/** A gRPC message with its head. */
export function message(content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content as string)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

/** Answers a stream with a message and the status OK. */
export function answer(stream: ServerHttp2Stream, content: Uint8Array | string, trailers: Record<string, string> = {}) {
  // Node keeps a stream open whose request nobody read.
  stream.resume()
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', ...trailers }))
  stream.end(message(content))
}

/** The message that a stream brings. */
export async function requestOf(stream: ServerHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).subarray(5)
}

export interface Peer {
  readonly target: string
  readonly server: Http2Server
  readonly sessions: Set<ServerHttp2Session>
  stop(): Promise<void>
}

/** Serves until the test ends. */
export async function startPeer(
  t: TestContext,
  onStream: (stream: ServerHttp2Stream, headers: Record<string, string>) => void,
  { settings, port = 0 }: { settings?: Settings; port?: number } = {},
): Promise<Peer> {
  const server = createServer({ ...(settings && { settings }) })
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session) => {
    sessions.add(session)
    session.on('error', () => undefined)
    session.once('close', () => sessions.delete(session))
  })
  server.on('stream', (stream, headers) => {
    // A client that cancels is an error to Node.
    stream.on('error', () => undefined)
    onStream(stream, headers as Record<string, string>)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const stop = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const session of sessions) session.destroy()
    await closed
  }
  t.after(stop)
  return { target: `127.0.0.1:${(server.address() as AddressInfo).port}`, server, sessions, stop }
}
