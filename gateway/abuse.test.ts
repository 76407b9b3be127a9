/** What hostile callers do. Memory stays bounded, and everybody else is served meanwhile. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { until } from '@flowforge/runtime/testing/poll'
import { startBehind, type Behind } from './testing/setup.ts'

const path = '/v1/projects/a/tasks'
const unlimited = { FLOWFORGE_RATE_LIMIT_PER_MINUTE: '10000000', FLOWFORGE_ADDRESS_RATE_LIMIT_PER_MINUTE: '10000000' }

async function setup(t: TestContext, env: Record<string, string> = {}) {
  const behind = await startBehind(t, { ...unlimited, ...env })
  const sockets: Socket[] = []
  t.after(() => sockets.forEach((socket) => socket.destroy()))
  const open = async (): Promise<Socket> => {
    const socket = connect(behind.gateway.port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    return socket
  }
  return { behind, open, served: () => served(behind) }
}

async function served(behind: Behind): Promise<void> {
  equal((await behind.call('GET', path)).status, 200)
}

/** How many MB more this process holds after `act`, garbage left out as far as it can be. */
async function growth(act: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage().rss
  await act()
  return (process.memoryUsage().rss - before) / 1e6
}

function openFilesMax(): number {
  try {
    const text = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim()
    return text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text)
  } catch {
    return 256
  }
}

const connectMany = `
  import { connect } from 'node:net'
  const [port, count] = process.argv.slice(1).map(Number)
  const open = () => new Promise((resolve, reject) => connect(port, '127.0.0.1', resolve).once('error', reject))
  for (let left = count; left > 0; left -= 250) await Promise.all(Array.from({ length: Math.min(250, left) }, open))
  process.stdout.write('connected')
`
const idleConnections = Math.min(10_000, openFilesMax() - 500)

test(`${idleConnections} connections that say nothing cost little and keep nobody out`, async (t) => {
  const { behind, served } = await setup(t)
  const megabytes = await growth(async () => {
    // Another process has the other ends, and half of the open files.
    const args = ['--input-type=module', '-e', connectMany, String(behind.gateway.port), String(idleConnections)]
    const others = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    t.after(() => others.kill('SIGKILL'))
    const [text] = (await once(others.stdout, 'data')) as [Buffer]
    equal(text.toString(), 'connected')
    await served()
  })
  t.diagnostic(`${idleConnections} connections: ${Math.round(megabytes)} MB`)
  ok(megabytes < 100 + idleConnections * 0.03)
})

test('connections beyond the limit are closed as they come, and those before are served', async (t) => {
  const { open } = await setup(t, { FLOWFORGE_CONNECTIONS_MAX: '3' })
  const first = await open()
  await Promise.all([open(), open()])
  const beyond = await open()
  beyond.resume()
  await once(beyond, 'close')
  first.write('GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n')
  const [data] = (await once(first, 'data')) as [Buffer]
  match(data.toString(), /^HTTP\/1\.1 200 /)
})

test('heads that come byte by byte are given up in time, and others are served meanwhile', async (t) => {
  const { open, served } = await setup(t, { FLOWFORGE_HEAD_TIMEOUT: '2s' })
  const slow = await Promise.all(Array.from({ length: 100 }, open))
  const answers = slow.map(async (socket) => {
    const [data] = (await once(socket, 'data')) as [Buffer]
    return data.toString().slice(0, 12)
  })
  const drip = setInterval(() => slow.forEach((socket) => socket.write('a')), 200)
  t.after(() => clearInterval(drip))
  slow.forEach((socket) => socket.write('GET / HTTP/1.1\r\nx: '))
  for (let i = 0; i < 5; i++) await served()
  deepEqual(new Set(await Promise.all(answers)), new Set(['HTTP/1.1 408']))
})

test('requests that are broken off again and again leave nothing running', async (t) => {
  const { behind, served } = await setup(t)
  let running = 0
  behind.handlers['getTask'] = async (_request, context) => {
    running++
    await once(context.signal, 'abort')
    running--
  }
  for (let round = 0; round < 20; round++) {
    const stop = new AbortController()
    const headers = { authorization: 'Bearer admin', 'cache-control': 'no-store' }
    const broken = Array.from({ length: 25 }, () =>
      fetch(`${behind.url}${path}/1`, { headers, signal: stop.signal }).catch(() => undefined),
    )
    if (round % 2 === 0) await until(() => running > 0)
    stop.abort()
    await Promise.all(broken)
  }
  await served()
  await until(() => running === 0)
})

for (const [what, body] of [
  ['nested 300,000 deep', `${'{"payload":'.repeat(300_000)}1${'}'.repeat(300_000)}`],
  ['nested a million arrays deep', `{"type":"echo","payload":{"a":${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}}}`],
  ['with a number of a million digits', `{"type":"echo","priority":${'9'.repeat(1_000_000)}}`],
  ['with a number of a million digits in its payload', `{"type":"echo","payload":{"n":1${'0'.repeat(1_000_000)}}}`],
  ['with 200,000 unknown fields', `{${Array.from({ length: 200_000 }, (_, index) => `"f${index}":1`).join()}}`],
] as const) {
  test(`a body ${what} is 400 at once`, async (t) => {
    const { behind, served } = await setup(t)
    const startedMs = performance.now()
    const { status, error } = await behind.call('POST', path, { body })
    deepEqual([status, error.status], [400, 'INVALID_ARGUMENT'])
    t.diagnostic(`${Math.round(performance.now() - startedMs)} ms`)
    await served()
  })
}

test('whoever asks for much and reads nothing does not fill our memory', async (t) => {
  const { behind, open, served } = await setup(t)
  const text = 'x'.repeat(1_000_000)
  behind.handlers['getTask'] = async () => ({ name: 'projects/a/tasks/1', labels: { text } })
  const megabytes = await growth(async () => {
    for (let i = 0; i < 20; i++) {
      const socket = await open()
      const one = `GET ${path}/1 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer admin\r\n\r\n`
      // A hundred on one connection: no more are answered than are read.
      socket.pause()
      socket.write(one.repeat(100))
    }
    for (let i = 0; i < 10; i++) await served()
  })
  t.diagnostic(`${Math.round(megabytes)} MB`)
  ok(megabytes < 500)
})
