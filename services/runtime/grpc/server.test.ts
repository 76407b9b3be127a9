/** What clients may do to a server, down to the frames that no HTTP/2 library would send. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect as connectHttp2, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2'
import { connect, type Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { test, type TestContext } from 'node:test'
import { Client, credentials, status, type ServerDuplexStream, type ServerUnaryCall } from '@grpc/grpc-js'
import {
  errorCode,
  flag,
  frame,
  FrameReader,
  frameType,
  numberFrame,
  preface,
  settingsFrame,
} from '@flowforge/grpc/http2/frames'
import { encodeHeaders } from '@flowforge/grpc/http2/hpack'
import { framed } from '@flowforge/grpc/message'
import fc from 'fast-check'
import { until } from '../testing/poll.ts'
import { GrpcServer } from './server.ts'

const asIs = (bytes: Buffer): Buffer => bytes
const bytes = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs }
const unaryPath = '/test.Echo/Unary'
const bidiPath = '/test.Echo/Bidi'

type Unary = (call: ServerUnaryCall<Buffer, Buffer>, done: (error: object | null, answer?: Buffer) => void) => void

/** A server in plaintext that echoes, unless `unary` does otherwise. */
async function serve(t: TestContext, unary: Unary = (call, done) => done(null, call.request)): Promise<number> {
  const server = new GrpcServer({ requestBytesMax: 1_000_000, tls: undefined })
  const definition = {
    unary: { path: unaryPath, requestStream: false, responseStream: false, ...bytes },
    bidi: { path: bidiPath, requestStream: true, responseStream: true, ...bytes },
  }
  const bidi = (call: ServerDuplexStream<Buffer, Buffer>): void => void call.pipe(call as unknown as Writable)
  server.addService(definition, { unary, bidi })
  t.after(async () => {
    server.destroy()
    await server.drain()
  })
  return server.listen('127.0.0.1', 0)
}

function openHttp2(t: TestContext, port: number): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  session.on('error', () => undefined)
  t.after(() => session.destroy())
  return session
}

/** What node:http2, another implementation of HTTP/2, is answered. */
async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body: Buffer) {
  const grpc = { ':method': 'POST', ':path': unaryPath, 'content-type': 'application/grpc', te: 'trailers' }
  const stream = session.request({ ...grpc, ...headers }, { endStream: false })
  stream.end(body)
  let seen: Record<string, unknown> = {}
  const chunks: Buffer[] = []
  stream.on('response', (response) => (seen = { ...seen, ...response }))
  stream.on('trailers', (trailers) => (seen = { ...seen, ...trailers }))
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('error', () => undefined)
  await once(stream, 'close')
  return { http: seen[':status'], code: Number(seen['grpc-status'] ?? -1), answer: Buffer.concat(chunks), stream }
}

async function openRaw(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** A whole request, as frames. */
function request(id: number): Buffer {
  const pseudo = [':method', 'POST', ':scheme', 'http', ':path', unaryPath]
  const head = encodeHeaders([...pseudo, 'content-type', 'application/grpc'])
  const body = frame(frameType.data, flag.endStream, id, framed(Buffer.from('hello')))
  return Buffer.concat([frame(frameType.headers, flag.endHeaders, id, head), body])
}

test('messages far larger than HTTP/2’s windows pass both ways, many at once', async (t) => {
  const session = openHttp2(t, await serve(t))
  const sizes = [0, 1, 16_379, 16_384, 65_535, 200_000, 900_000]
  await Promise.all(
    sizes.map(async (size, i) => {
      const body = framed(Buffer.alloc(size, i + 1))
      const { code, answer } = await ask(session, {}, body)
      equal(code, status.OK)
      ok(answer.equals(body), `${size} bytes came back as ${answer.length}`)
    }),
  )
})

test('what is not gRPC, or not a message that we take, has the status that says so', async (t) => {
  const session = openHttp2(t, await serve(t))
  const message = framed(Buffer.from('hello'))
  equal((await ask(session, { ':method': 'GET' }, Buffer.alloc(0))).http, 405)
  equal((await ask(session, { 'content-type': 'application/json' }, message)).http, 415)
  equal((await ask(session, { ':path': '/test.Echo/No' }, message)).code, status.UNIMPLEMENTED)
  equal((await ask(session, {}, Buffer.concat([message, message]))).code, status.UNIMPLEMENTED)
  equal((await ask(session, {}, Buffer.alloc(0))).code, status.UNIMPLEMENTED)
  equal((await ask(session, {}, message.subarray(0, 7))).code, status.UNIMPLEMENTED)
  equal((await ask(session, {}, Buffer.of(1, 0, 0, 0, 1, 0))).code, status.UNIMPLEMENTED, 'compressed')
  equal((await ask(session, {}, framed(Buffer.alloc(1_000_001)))).code, status.RESOURCE_EXHAUSTED)
  equal((await ask(session, { 'x-large': 'x'.repeat(20_000) }, message)).code, status.RESOURCE_EXHAUSTED)
  equal((await ask(session, {}, message)).code, status.OK, 'the connection is as good as before')
})

test('a deadline that passes cancels the handler, and the client is told', async (t) => {
  let isCancelled = false
  const port = await serve(t, (call) => call.once('cancelled', () => (isCancelled = true)))
  const { code } = await ask(openHttp2(t, port), { 'grpc-timeout': '50m' }, framed(Buffer.alloc(1)))
  equal(code, status.DEADLINE_EXCEEDED)
  ok(isCancelled)
})

test('a client that reads slowly holds a stream’s sender back, and one that is gone ends it', async (t) => {
  const client = new Client(`127.0.0.1:${await serve(t)}`, credentials.createInsecure())
  t.after(() => client.close())
  const stream = client.makeBidiStreamRequest(bidiPath, asIs, asIs)
  stream.on('error', () => undefined)
  const sent = Array.from({ length: 400 }, (_, i) => Buffer.alloc(10_000, i))
  for (const message of sent) stream.write(message)
  stream.end()
  const received: Buffer[] = []
  for await (const message of stream) received.push(message as Buffer)
  deepEqual(received, sent)
})

test('a client that opens and resets streams without end is told to calm down', async (t) => {
  const socket = await openRaw(t, await serve(t, () => undefined))
  const received: Buffer[] = []
  socket.on('data', (chunk: Buffer) => received.push(chunk))
  socket.write(Buffer.concat([preface, settingsFrame([])]))
  for (let id = 1; id < 3_000; id += 2)
    socket.write(Buffer.concat([request(id), numberFrame(frameType.rstStream, id, errorCode.cancel)]))
  await once(socket, 'close')
  const goaway = Buffer.concat(received).subarray(-8)
  equal(goaway.readUInt32BE(4), errorCode.enhanceYourCalm)
})

test('whatever bytes a client sends, the server goes on', async (t) => {
  const port = await serve(t)
  const anyFrame = fc
    .tuple(fc.nat(10), fc.nat(255), fc.nat(5), fc.uint8Array({ maxLength: 40 }))
    .map(([type, flags, id, payload]) => frame(type, flags, id, payload))
  await fc.assert(
    fc.asyncProperty(fc.array(anyFrame, { maxLength: 12 }), fc.boolean(), async (frames, isHttp2) => {
      const socket = await openRaw(t, port)
      socket.end(Buffer.concat([...(isHttp2 ? [preface, settingsFrame([])] : []), ...frames]))
      socket.resume()
      await once(socket, 'close')
    }),
    { numRuns: 150 },
  )
  equal((await ask(openHttp2(t, port), {}, framed(Buffer.from('still here')))).code, status.OK)
})

test('draining serves what was sent before the client knew, and then closes', async (t) => {
  const server = new GrpcServer({ requestBytesMax: 1_000, tls: undefined })
  const held: (() => void)[] = []
  const hold: Unary = (call, done) => held.push(() => done(null, call.request))
  const definition = { path: unaryPath, requestStream: false, responseStream: false, ...bytes }
  server.addService({ unary: definition }, { unary: hold })
  const socket = await openRaw(t, await server.listen('127.0.0.1', 0))
  const seen: string[] = []
  const reader = new FrameReader((type, flags, id, payload) => {
    if (type === frameType.goaway) seen.push(`go away after ${payload.readUInt32BE(0)}`)
    if (type === frameType.headers && (flags & flag.endStream) !== 0) seen.push(`answer ${id}`)
    if (type !== frameType.ping) return
    // On its way when the server began to drain.
    socket.write(request(3))
    socket.write(frame(frameType.ping, flag.ack, 0, payload))
  })
  socket.on('data', (chunk: Buffer) => reader.push(chunk))
  socket.write(Buffer.concat([preface, settingsFrame([]), request(1)]))
  await until(() => held.length === 1)
  const drained = server.drain()
  await until(() => held.length === 2)
  for (const answer of held) answer()
  await drained
  deepEqual(seen.toSorted(), ['answer 1', 'answer 3', 'go away after 2147483647', 'go away after 3'])
})

const h2spec = spawnSync('h2spec', ['--version']).status === 0
// Those left out want a body in each answer, more requests than we bound, or a check of content-length, which gRPC has not.
const sections = [
  'generic/1',
  'generic/3',
  'generic/4',
  'generic/5',
  'http2/3',
  'http2/4',
  'http2/6',
  'http2/7',
  'hpack',
]
test(
  'h2spec finds what RFC 9113 and RFC 7541 want',
  { skip: h2spec ? false : 'h2spec is not installed' },
  async (t) => {
    const port = await serve(t)
    const child = spawn('h2spec', ['-h', '127.0.0.1', '-p', String(port), ...sections])
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    const [code] = await once(child, 'exit')
    equal(code, 0, output.slice(-2_000))
  },
)
