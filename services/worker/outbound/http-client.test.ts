import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { SnoozeError } from '@flowforge/sdk'
import { startHttpServer, type Answer } from '../testing/http-server.ts'
import { parseAllowList } from './address-rules.ts'
import { DestinationRefusedError } from './guarded-agent.ts'
import { createHttpClient, type HttpRequest } from './http-client.ts'

async function setup(
  t: TestContext,
  {
    answer = (_, response) => response.end('hello'),
    allow = ['127.0.0.1'],
  }: { answer?: Answer; allow?: string[] } = {},
) {
  const server = await startHttpServer(t, answer)
  const client = createHttpClient({ allowed: parseAllowList(allow), requestsPerHost: 4 })
  t.after(() => client.close())
  const get = (url: string, more: Partial<HttpRequest> = {}) =>
    client.send({
      url,
      method: 'GET',
      headers: {},
      timeoutMs: 5_000,
      redirectsMax: 5,
      signal: new AbortController().signal,
      ...more,
    })
  return { ...server, port: new URL(server.url).port, client, get }
}

const refused = { name: 'DestinationRefusedError', reason: 'DESTINATION_REFUSED' }

test('an address inside is refused however it is written, and nothing arrives there', async (t) => {
  const { get, port, received } = await setup(t, { allow: [] })
  const hosts = [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '017700000001',
    '0',
    '0.0.0.0',
    '127.0.0.1.',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:ffff:127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
    '[2002:7f00:1::]',
    'localhost',
    'localhost.',
    'LOCALHOST',
    '①②⑦.⓪.⓪.①',
    '127。0。0。1',
    '169.254.169.254',
    '[fd00:ec2::254]',
    '10.0.0.1',
  ]
  for (const host of hosts) await t.test(host, () => rejects(get(`http://${host}:${port}/`), refused))
  equal(received.length, 0)
})

test('other schemes, credentials, system ports and malformed URLs are refused', async (t) => {
  const { get } = await setup(t, { allow: [] })
  for (const url of [
    'file:///etc/passwd',
    'ftp://example.com/',
    'gopher://example.com/',
    'data:text/plain,x',
    'http://user:secret@example.com/',
    'http://example.com:22/',
    'https://example.com:25/',
  ]) {
    await t.test(url, () => rejects(get(url), refused))
  }
  for (const url of ['', 'example.com', 'http://', 'http://[::1', `http://example.com/${'x'.repeat(9_000)}`]) {
    await t.test(url.slice(0, 30), () => rejects(get(url), { name: 'PermanentError', reason: 'PAYLOAD_INVALID' }))
  }
})

test('a redirect to an address inside is refused', async (t) => {
  const { get, url, port, received } = await setup(t, {
    answer: (_, response) => response.writeHead(302, { location: `http://127.0.0.2:${port}/inside` }).end(),
  })
  await rejects(get(url), refused)
  deepEqual(
    received.map(({ path }) => path),
    ['/'],
  )
})

test('a name that leads inside is refused unless the operator allows the name', async (t) => {
  const inside = await setup(t, { allow: [] })
  const error = await inside.get(`http://localhost:${inside.port}/`).catch((refusal: unknown) => refusal)
  ok(error instanceof DestinationRefusedError)
  match(error.message, /localhost leads to an address that is not public/)
  const allowed = await setup(t, { allow: ['localhost'] })
  equal((await allowed.get(`http://localhost:${allowed.port}/`)).status, 200)
})

test('redirects are followed with a bound', async (t) => {
  const { get, url } = await setup(t, {
    answer: ({ path }, response) => {
      const left = Number(path.slice(1))
      if (left === 0) response.end('there')
      else response.writeHead(302, { location: `/${left - 1}` }).end()
    },
  })
  equal((await get(`${url}/5`)).body.toString(), 'there')
  await rejects(get(`${url}/6`), /more than 5 redirects/)
  equal((await get(`${url}/3`, { redirectsMax: 0 })).status, 302)
})

test('a redirect to another origin does not receive credentials, and a POST becomes a GET', async (t) => {
  const other = await setup(t)
  const { get, url } = await setup(t, {
    answer: (_, response) => response.writeHead(302, { location: other.url }).end(),
  })
  await get(url, {
    method: 'POST',
    headers: { authorization: 'secret', cookie: 'secret', 'content-type': 'text/plain', 'x-own': '1' },
    body: Buffer.from('x'),
  })
  const [{ method, headers, body }] = other.received as [(typeof other.received)[0]]
  deepEqual(
    [method, headers.authorization, headers.cookie, headers['content-type'], headers['x-own'], body.length],
    ['GET', undefined, undefined, undefined, '1', 0],
  )
})

test('at most 64 KiB of an answer are read, even of one that never ends', async (t) => {
  const { get, url } = await setup(t, {
    answer: (_, response) => {
      const chunk = Buffer.alloc(16_384, 'x')
      const more = (): void => {
        while (!response.destroyed && response.write(chunk)) continue
      }
      response.on('drain', more)
      more()
    },
  })
  const answer = await get(url)
  deepEqual([answer.body.length, answer.isTruncated], [65_536, true])
})

test('a host that does not answer in time fails the request; an aborted attempt says why', async (t) => {
  const { get, url } = await setup(t, { answer: () => {} })
  await rejects(get(url, { timeoutMs: 50 }), { name: 'TimeoutError' })
  const controller = new AbortController()
  const aborted = rejects(get(url, { signal: controller.signal }), /on purpose/)
  controller.abort(new Error('on purpose'))
  await aborted
})

test('an open breaker snoozes tasks for that host and for no other', async (t) => {
  const bad = await setup(t, { answer: (_, response) => response.writeHead(500).end() })
  const good = await startHttpServer(t, (_, response) => void response.end('well'))
  for (let calls = 0; calls < 10; calls += 1) equal((await bad.get(bad.url)).status, 500)
  const snooze = await bad.get(bad.url).catch((error: unknown) => error)
  ok(snooze instanceof SnoozeError)
  ok(snooze.afterMs > 0 && snooze.afterMs <= 15_000, `${snooze.afterMs}`)
  equal(bad.received.length, 10)
  equal((await bad.get(good.url)).status, 200)
})

test('a host whose turns and waiting places are taken snoozes the next task', async (t) => {
  const { get, url, client } = await setup(t, { answer: () => {} })
  const waiting = Array.from({ length: 8 }, () => get(url).catch(() => {}))
  await rejects(get(url), { name: 'SnoozeError' })
  await client.close()
  await Promise.all(waiting)
})
