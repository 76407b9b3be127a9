/** How a channel comes to its connections where servers go without a word, as pods do. */
import { equal, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { dial, type Channel } from './client.ts'
import { quietLog } from './testing/log.ts'
import { until } from './testing/poll.ts'
import { askUnary, changedPolicy, unaryPath, unaryProbe } from './testing/probe.ts'
import { startTestServer, type TestServer } from './testing/server.ts'
import { untilAnswering } from './until-answering.ts'

/** One address before a server, as a Service has; `isHole` says which connections lead nowhere. */
async function startRelay(t: TestContext, server: TestServer, isHole: (number: number) => boolean) {
  const sockets: Socket[] = []
  const relay = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    if (isHole(sockets.length)) return void socket.resume()
    const onward = connect(Number(server.address.split(':')[1]), '127.0.0.1').on('error', () => undefined)
    socket.pipe(onward).pipe(socket)
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  t.after(() => {
    relay.close()
    for (const socket of sockets) socket.destroy()
  })
  return { address: `127.0.0.1:${(relay.address() as AddressInfo).port}`, sockets }
}

function dialRelay(t: TestContext, server: TestServer, address: string): Channel {
  const workload = server.certificates.workloadOf('gateway')
  const policies = changedPolicy(unaryPath, { timeoutMs: 15_000 })
  const channel = dial({ address, component: server.component, workload, log: quietLog, policies })
  t.after(() => (channel.close(), workload.close()))
  return channel
}

test('connections that lead nowhere delay a call and do not fail it, and are given up once another is there', async (t) => {
  const server = await startTestServer(t, 'accounts', [unaryProbe(async () => 'here')])
  const { address, sockets } = await startRelay(t, server, (number) => number <= 2)
  equal(await askUnary(dialRelay(t, server, address)), 'here')
  equal(sockets.length, 3)
  await until(() => sockets[0]!.destroyed && sockets[1]!.destroyed)
})

test('a connection that ends is replaced before the next call', async (t) => {
  const server = await startTestServer(t, 'accounts', [unaryProbe(async () => 'here')])
  const { address, sockets } = await startRelay(t, server, () => false)
  const startedMs = performance.now()
  await askUnary(dialRelay(t, server, address))
  // A server that ends connections as soon as they are there is left alone.
  await until(() => performance.now() - startedMs > 1_500)
  sockets[0]!.destroy()
  await until(() => sockets.length === 2)
})

test('a channel knows when its service answers, and when it does not', async (t) => {
  const server = await startTestServer(t, 'accounts', [unaryProbe(async () => '')])
  let isGone = true
  const { address } = await startRelay(t, server, () => isGone)
  const channel = dialRelay(t, server, address)
  const startedMs = performance.now()
  equal(await untilAnswering(channel, 300), false)
  ok(performance.now() - startedMs < 2_000)
  isGone = false
  equal(await untilAnswering(channel, 10_000), true)
})
