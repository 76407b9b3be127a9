/** What a server may do to a connection, down to the frames that no HTTP/2 library would send. */
import { equal, match, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { Metadata, status } from '@grpc/grpc-js'
import fc from 'fast-check'
import { UnaryChannel } from './channel.ts'
import { flag, frame, frameType } from '../http2/frames.ts'
import { encodeHeaders } from '../http2/hpack.ts'
import { answer, answerBytesMax, ask, message, requestOf, startPeer } from './testing/peer.ts'
import { until } from './testing/until.ts'

function open(t: TestContext, target: string): UnaryChannel {
  const channel = new UnaryChannel({ target, tls: undefined, answerBytesMax, attemptsMax: 5 })
  t.after(() => channel.close())
  return channel
}

const settings = frame(frameType.settings, 0, 0, Buffer.alloc(0))
const headers = encodeHeaders([':status', '200', 'content-type', 'application/grpc'])
const trailers = encodeHeaders(['grpc-status', '0'])

/** Serves whatever `script` writes once a client has spoken. */
async function startRaw(t: TestContext, script: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.write(settings)
    socket.once('data', () => script(socket))
    t.after(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Answers the first call with these frames. */
function startFrames(t: TestContext, ...frames: Buffer[]): Promise<string> {
  return startRaw(t, (socket) => socket.write(Buffer.concat(frames)))
}

const { headers: headersType, data, continuation } = frameType
const { endHeaders, endStream, padded, priority } = flag

test('padding, priority, continued header blocks, 1xx and unknown frames are read for what they are', async (t) => {
  const body = message('hello')
  const target = await startFrames(
    t,
    frame(0xee, 0xff, 0, Buffer.from('whatever')),
    frame(headersType, endHeaders, 1, encodeHeaders([':status', '103'])),
    frame(
      headersType,
      padded | priority,
      1,
      Buffer.concat([Buffer.of(3), Buffer.alloc(5), headers.subarray(0, 4), Buffer.alloc(3)]),
    ),
    frame(continuation, 0, 1, headers.subarray(4, 9)),
    frame(continuation, endHeaders, 1, headers.subarray(9)),
    frame(data, padded, 1, Buffer.concat([Buffer.of(2), body.subarray(0, 2), Buffer.alloc(2)])),
    frame(data, 0, 1, Buffer.alloc(0)),
    frame(data, 0, 1, body.subarray(2)),
    frame(headersType, endHeaders | endStream, 1, trailers),
  )
  const { error, answer: got } = await ask(open(t, target))
  equal(error, null)
  equal(got?.toString(), 'hello')
})

for (const [what, frames, code = status.UNAVAILABLE] of [
  ['a frame larger than allowed', [Buffer.from('00ffff000000000001', 'hex')]],
  ['padding larger than its frame', [frame(data, padded, 1, Buffer.of(9, 1))]],
  [
    'a header block that cannot be decoded',
    [frame(headersType, endHeaders, 1, Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff))],
  ],
  [
    'a header block that never ends',
    [
      frame(headersType, 0, 1, headers),
      ...Array.from({ length: 9 }, () => frame(continuation, 0, 1, Buffer.alloc(16_000, 0x88))),
    ],
  ],
  ['another frame inside a header block', [frame(headersType, 0, 1, headers), settings]],
  ['a continuation of nothing', [frame(continuation, endHeaders, 1, headers)]],
  ['a pushed stream', [frame(frameType.pushPromise, endHeaders, 1, Buffer.alloc(8))]],
  ['a window beyond 2^31', [Buffer.from('00000408000000000' + '07fffffff', 'hex')]],
  [
    'a compressed message',
    [
      frame(headersType, endHeaders, 1, headers),
      frame(data, 0, 1, Buffer.of(1, 0, 0, 0, 0)),
      frame(headersType, endHeaders | endStream, 1, trailers),
    ],
    status.INTERNAL,
  ],
  [
    'two messages',
    [
      frame(headersType, endHeaders, 1, headers),
      frame(data, 0, 1, Buffer.alloc(10)),
      frame(headersType, endHeaders | endStream, 1, trailers),
    ],
    status.INTERNAL,
  ],
  [
    'an end without status',
    [frame(headersType, endHeaders, 1, headers), frame(data, endStream, 1, message('x'))],
    status.INTERNAL,
  ],
] as const) {
  test(`${what} ends the call as ${status[code]}, and nothing else happens`, async (t) => {
    const target = await startFrames(t, ...(frames as readonly Buffer[]))
    equal((await ask(open(t, target), { deadline: Date.now() + 5_000 })).error?.code, code)
  })
}

test('whatever bytes a server sends, the call ends and the process goes on', async (t) => {
  let bytes: Uint8Array = Buffer.alloc(0)
  const target = await startRaw(t, (socket) => socket.end(bytes))
  const anyFrame = fc
    .tuple(
      fc.integer({ min: 0, max: 10 }),
      fc.integer({ min: 0, max: 255 }),
      fc.integer({ min: 0, max: 3 }),
      fc.uint8Array({ maxLength: 40 }),
    )
    .map(([type, flags, stream, payload]) => frame(type, flags, stream, payload))
  await fc.assert(
    fc.asyncProperty(fc.array(anyFrame, { maxLength: 12 }), async (frames) => {
      bytes = Buffer.concat(frames)
      const channel = new UnaryChannel({ target, tls: undefined, answerBytesMax, attemptsMax: 5 })
      await ask(channel, { deadline: Date.now() + 1_000 })
      channel.close()
    }),
    { numRuns: 300 },
  )
})

test('calls that a server did not look at before it went away are sent again elsewhere', async (t) => {
  const goAway = Buffer.alloc(8)
  let isFirst = true
  const target = await startRaw(t, (socket) => {
    if (isFirst) {
      isFirst = false
      return socket.end(frame(frameType.goaway, 0, 0, goAway))
    }
    socket.write(
      Buffer.concat([
        frame(headersType, endHeaders, 1, headers),
        frame(data, 0, 1, message('again')),
        frame(headersType, endHeaders | endStream, 1, trailers),
      ]),
    )
  })
  equal((await ask(open(t, target))).answer?.toString(), 'again')
})

test('a peer that keeps no header table is told that neither do we, and more headers than one frame holds arrive', async (t) => {
  let length = 0
  const peer = await startPeer(
    t,
    async (stream, { 'x-large': large }) => {
      length += large?.length ?? 0
      answer(stream, await requestOf(stream))
    },
    { settings: { headerTableSize: 0, maxHeaderListSize: 100_000 } },
  )
  const channel = open(t, peer.target)
  const metadata = new Metadata()
  metadata.set('x-large', 'x'.repeat(40_000))
  for (let call = 0; call < 2; call++) equal((await ask(channel, { metadata })).error, null)
  equal(length, 80_000)
})

test('calls take turns over all addresses, and over those that are left', async (t) => {
  const seen = [0, 0, 0]
  const peers = await Promise.all(
    seen.map((_, index) => startPeer(t, (stream) => ((seen[index]! += 1), answer(stream, '')))),
  )
  const channel = open(t, `ipv4:${peers.map(({ target }) => target).join(',')}`)
  await until(async () => (await ask(channel), seen.every((count) => count > 0)))
  seen.fill(0)
  for (let call = 0; call < 30; call++) await ask(channel)
  equal(seen.join(), '10,10,10')
  await peers[0]!.stop()
  await until(async () => (await ask(channel)).error === null)
  for (let call = 0; call < 10; call++) equal((await ask(channel)).error, null)
})

test('a server that is silent while somebody waits is asked for a sign of life, and given up without one', async (t) => {
  const asked: Buffer[] = []
  const target = await startRaw(t, (socket) => socket.on('data', (bytes: Buffer) => asked.push(bytes)))
  const channel = open(t, target)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const ended = ask(channel, { deadline: Number.POSITIVE_INFINITY })
  const isPing = (bytes: Buffer): boolean => bytes.includes(frame(frameType.ping, 0, 0, Buffer.alloc(8)))
  let isOver = false
  void ended.then(() => (isOver = true))
  for (let second = 0; second < 500 && !isOver; second++) {
    t.mock.timers.tick(1_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  equal((await ended).error?.code, status.UNAVAILABLE)
  match((await ended).error!.details, /does not answer/)
  ok(asked.some(isPing))
})

test('a ping is answered though nothing else is written', async (t) => {
  const payload = Buffer.from('12345678')
  const heard: Buffer[] = []
  const target = await startRaw(t, (socket) => {
    socket.on('data', (bytes: Buffer) => heard.push(bytes))
    socket.write(frame(frameType.ping, 0, 0, payload))
  })
  void ask(open(t, target))
  await until(async () => Buffer.concat(heard).includes(frame(frameType.ping, flag.ack, 0, payload)))
})

test('a channel that nobody uses lets its process end', async (t) => {
  const peer = await startPeer(t, (stream) => answer(stream, ''))
  const script = `
    import { Metadata } from '@grpc/grpc-js'
    import { UnaryChannel } from ${JSON.stringify(new URL('./channel.ts', import.meta.url).href)}
    const channel = new UnaryChannel({ target: '${peer.target}', tls: undefined, answerBytesMax: 1000, attemptsMax: 5 })
    const request = { path: '/a.B/C', message: Buffer.alloc(0), metadata: new Metadata(), deadline: Infinity }
    channel.call(request, (error) => process.stdout.write(error === null ? 'answered' : error.message))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    timeout: 20_000,
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const [code] = await once(child, 'exit')
  equal(text, 'answered')
  equal(code, 0)
})
