/** What grpc-js does in a unary call, our channel does: each claim is tested on both. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { constants, type ServerHttp2Stream } from 'node:http2'
import { test, type TestContext } from 'node:test'
import { Metadata, status } from '@grpc/grpc-js'
import { until } from './testing/until.ts'
import { answer, ask, callers, message, path, requestOf, startPeer, type Caller } from './testing/peer.ts'

function claim(text: string, prove: (t: TestContext, open: (target: string) => Caller) => Promise<void>): void {
  for (const [name, open] of Object.entries(callers)) {
    test(`${name}: ${text}`, (t) =>
      prove(t, (target) => {
        const caller = open(target)
        t.after(() => caller.close())
        return caller
      }))
  }
}

claim('the message, the metadata and the deadline arrive, and so do the answer and its headers', async (t, open) => {
  let seen: Record<string, string> = {}
  const peer = await startPeer(t, async (stream, headers) => {
    seen = headers
    const request = await requestOf(stream)
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc+proto', 'x-served-by': 'me', 'x-bytes-bin': 'AAH/' },
      { waitForTrailers: true },
    )
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(message(request))
  })
  const metadata = new Metadata()
  metadata.add('x-list', 'one')
  metadata.add('x-list', 'two')
  metadata.set('x-data-bin', Buffer.of(0, 1, 255))
  const ended = await ask(open(peer.target), { message: Buffer.from('hello'), metadata, deadline: Date.now() + 5_000 })
  equal(ended.error, null)
  equal(ended.answer?.toString(), 'hello')
  deepEqual(ended.headers?.get('x-served-by'), ['me'])
  deepEqual(ended.headers?.get('x-bytes-bin'), [Buffer.of(0, 1, 255)])
  equal(seen[':path'], path)
  equal(seen[':method'], 'POST')
  equal(seen['te'], 'trailers')
  match(seen['content-type']!, /^application\/grpc/)
  match(seen['grpc-timeout']!, /^[45]\d{3}m$|^[45]S$/)
  match(seen['x-list']!, /^one, ?two$/)
  equal(Buffer.from(seen['x-data-bin']!, 'base64').toString('hex'), '0001ff')
})

claim('a call without deadline tells none, and one that is far away fits eight digits', async (t, open) => {
  const timeouts: (string | undefined)[] = []
  const peer = await startPeer(t, (stream, headers) => {
    timeouts.push(headers['grpc-timeout'])
    answer(stream, '')
  })
  const caller = open(peer.target)
  await ask(caller, { deadline: Number.POSITIVE_INFINITY })
  await ask(caller, { deadline: Date.now() + 1e12 })
  equal(timeouts[0], undefined)
  match(timeouts[1]!, /^\d{1,8}[HMSmun]$/)
})

claim(
  'an error has its status, its message and its trailers, with and without headers before them',
  async (t, open) => {
    const trailers = { 'grpc-status': '5', 'grpc-message': 'no%20such%20b%C3%B6ok', 'x-why-bin': 'AQI=' }
    let isTrailersOnly = false
    const peer = await startPeer(t, (stream) => {
      if (isTrailersOnly)
        return stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true })
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers(trailers))
      stream.end()
    })
    const caller = open(peer.target)
    for (isTrailersOnly of [false, true]) {
      const { error } = await ask(caller)
      equal(error?.code, status.NOT_FOUND)
      equal(error?.details, 'no such böok')
      deepEqual(error?.metadata.get('x-why-bin'), [Buffer.of(1, 2)])
    }
  },
)

claim('when the deadline passes the call ends and the server is told', async (t, open) => {
  let isCancelled = false
  const peer = await startPeer(t, (stream) => stream.once('close', () => (isCancelled = true)))
  const caller = open(peer.target)
  const startedMs = performance.now()
  const { error } = await ask(caller, { deadline: Date.now() + 150 })
  equal(error?.code, status.DEADLINE_EXCEEDED)
  ok(performance.now() - startedMs < 2_000)
  await until(() => isCancelled)
})

claim('a call that is cancelled ends as CANCELLED and the server is told', async (t, open) => {
  let arrived = false
  let resetCode: number | undefined
  const peer = await startPeer(t, (stream) => {
    arrived = true
    stream.once('close', () => (resetCode = stream.rstCode))
  })
  const caller = open(peer.target)
  let cancel = (): void => undefined
  const ended = new Promise<number | undefined>((resolve) => {
    const request = { path, message: Buffer.alloc(0), metadata: new Metadata(), deadline: Number.POSITIVE_INFINITY }
    const call = caller.call(request, (error) => resolve(error?.code))
    cancel = () => call.cancel()
  })
  await until(() => arrived)
  cancel()
  equal(await ended, status.CANCELLED)
  await until(() => resetCode !== undefined)
  equal(resetCode, constants.NGHTTP2_CANCEL)
})

claim('messages far larger than HTTP/2’s windows pass both ways, many at once', async (t, open) => {
  const peer = await startPeer(t, async (stream) => answer(stream, await requestOf(stream)))
  const caller = open(peer.target)
  const sizes = [0, 1, 16_379, 16_384, 65_535, 200_000, 3_000_000]
  await Promise.all(
    sizes.map(async (size, index) => {
      const sent = Buffer.alloc(size, index + 1)
      const { error, answer: got } = await ask(caller, { message: sent })
      equal(error, null)
      ok(got!.equals(sent), `${size} bytes came back as ${got!.length}`)
    }),
  )
})

claim('an answer larger than allowed is RESOURCE_EXHAUSTED, before it is here', async (t, open) => {
  const peer = await startPeer(t, (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    stream.write(message(Buffer.alloc(5_000_000)).subarray(0, 1_000))
  })
  equal((await ask(open(peer.target))).error?.code, status.RESOURCE_EXHAUSTED)
})

claim('an answer that is not gRPC has the status that HTTP’s means', async (t, open) => {
  const codes = new Map([
    [503, status.UNAVAILABLE],
    [404, status.UNIMPLEMENTED],
    [403, status.PERMISSION_DENIED],
    [500, status.UNKNOWN],
  ])
  let http = 0
  const peer = await startPeer(t, (stream) => {
    stream.respond({ ':status': http, 'content-type': 'text/html' })
    stream.end('<h1>sorry</h1>')
  })
  const caller = open(peer.target)
  for (const [sent, expected] of codes) {
    http = sent
    equal((await ask(caller)).error?.code, expected, `HTTP ${sent}`)
  }
})

claim('a reset without status has the status that its code means', async (t, open) => {
  const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INADEQUATE_SECURITY, NGHTTP2_CANCEL } = constants
  const codes = new Map([
    [NGHTTP2_INTERNAL_ERROR, status.INTERNAL],
    [NGHTTP2_ENHANCE_YOUR_CALM, status.RESOURCE_EXHAUSTED],
    [NGHTTP2_INADEQUATE_SECURITY, status.PERMISSION_DENIED],
    [NGHTTP2_CANCEL, status.CANCELLED],
  ])
  let code = 0
  const peer = await startPeer(t, (stream) => stream.close(code))
  const caller = open(peer.target)
  for (const [sent, expected] of codes) {
    code = sent
    equal((await ask(caller)).error?.code, expected, `code ${sent}`)
  }
})

claim('OK without a message is UNIMPLEMENTED', async (t, open) => {
  const peer = await startPeer(t, (stream) =>
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '0' }, { endStream: true }),
  )
  equal((await ask(open(peer.target))).error?.code, status.UNIMPLEMENTED)
})

claim('a stream that the server refused is sent again, since it was not looked at', async (t, open) => {
  let asked = 0
  const peer = await startPeer(t, (stream) => {
    if (++asked === 1) stream.close(constants.NGHTTP2_REFUSED_STREAM)
    else answer(stream, 'done')
  })
  equal((await ask(open(peer.target))).answer?.toString(), 'done')
  equal(asked, 2)
})

claim('a server that goes away ends what it has, and the next call goes to a new connection', async (t, open) => {
  const held: ServerHttp2Stream[] = []
  const peer = await startPeer(t, (stream, headers) => {
    if (headers['x-hold']) held.push(stream)
    else answer(stream, 'new')
  })
  const caller = open(peer.target)
  const metadata = new Metadata()
  metadata.set('x-hold', 'yes')
  const first = ask(caller, { metadata })
  await until(() => held.length === 1)
  const [session] = peer.sessions
  session!.close()
  equal((await until(async () => (await ask(caller)).answer))!.toString(), 'new')
  equal(peer.sessions.size, 2)
  answer(held[0]!, 'old')
  equal((await first).answer?.toString(), 'old')
  await until(() => peer.sessions.size === 1)
})

claim('a call that was under way when the connection broke is UNAVAILABLE, and the next one works', async (t, open) => {
  let isBroken = true
  const peer = await startPeer(t, (stream) => {
    if (isBroken) stream.session!.destroy()
    else answer(stream, 'back')
  })
  const caller = open(peer.target)
  equal((await ask(caller)).error?.code, status.UNAVAILABLE)
  isBroken = false
  equal((await until(async () => (await ask(caller)).answer))!.toString(), 'back')
})

claim('no more streams are open at once than the server allows; the others wait', async (t, open) => {
  let running = 0
  let most = 0
  const peer = await startPeer(
    t,
    async (stream) => {
      most = Math.max(most, ++running)
      await requestOf(stream)
      setImmediate(() => {
        running--
        answer(stream, '')
      })
    },
    { settings: { maxConcurrentStreams: 3 } },
  )
  const caller = open(peer.target)
  // The first answer follows the server's settings, which only then are known.
  await ask(caller)
  const ended = await Promise.all(Array.from({ length: 30 }, () => ask(caller)))
  ok(ended.every(({ error }) => error === null))
  ok(most <= 3, `${most} at once`)
})

claim('where nobody listens a call fails at once, and works once somebody does', async (t, open) => {
  const gone = await startPeer(t, () => undefined)
  await gone.stop()
  const caller = open(gone.target)
  const startedMs = performance.now()
  const { error } = await ask(caller, { deadline: Date.now() + 60_000 })
  equal(error?.code, status.UNAVAILABLE)
  ok(performance.now() - startedMs < 5_000)
  await startPeer(t, (stream) => answer(stream, 'here'), { port: Number(gone.target.split(':')[1]) })
  equal((await until(async () => (await ask(caller)).answer))!.toString(), 'here')
})

claim('an address that cannot be reached does not stop the others', async (t, open) => {
  const gone = await startPeer(t, () => undefined)
  await gone.stop()
  const peer = await startPeer(t, (stream) => answer(stream, 'here'))
  const caller = open(`ipv4:${gone.target},${peer.target}`)
  for (let call = 0; call < 4; call++) equal((await ask(caller)).answer?.toString(), 'here')
})

claim('a closed channel takes no call, and lets the one under way end', async (t, open) => {
  const held: ServerHttp2Stream[] = []
  const peer = await startPeer(t, (stream) => void held.push(stream))
  const caller = open(peer.target)
  const first = ask(caller)
  await until(() => held.length === 1)
  caller.close()
  answer(held[0]!, 'late')
  equal((await first).answer?.toString(), 'late')
  await until(() => peer.sessions.size === 0)
})
