import { deepEqual } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { test, type TestContext } from 'node:test'
import { until } from '@flowforge/runtime/testing/poll'
import { Balancer } from './balancer.ts'

/** A gateway's stand-in that says its name to whoever connects, and whether it is ready. */
async function backend(t: TestContext, name: string) {
  let isReady = true
  const greeter = createServer((socket) => socket.end(name).on('error', () => {}))
  const admin = createHttpServer((_, response) => response.writeHead(isReady ? 200 : 503).end())
  const portOf = async (server: Server) => {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    t.after(() => server.close())
    return (server.address() as AddressInfo).port
  }
  const ports = { port: await portOf(greeter), adminPort: await portOf(admin) }
  return { ports, setReady: (value: boolean) => (isReady = value) }
}

async function greeting(url: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk) => (heard += chunk.toString()))
  await once(socket, 'close')
  return heard
}

test('connections take turns, and none goes to a gateway that is not ready', async (t) => {
  const [first, second] = [await backend(t, 'first'), await backend(t, 'second')]
  const balancer = await Balancer.over([first.ports, second.ports])
  t.after(() => balancer.close())
  const both = async () => [await greeting(balancer.url), await greeting(balancer.url)].sort()
  deepEqual(await both(), ['first', 'second'])
  first.setReady(false)
  await until(async () => (await both()).every((name) => name === 'second'))
  first.setReady(true)
  await until(async () => (await both()).includes('first'))
})

test('where no gateway is ready, a connection is reset and not kept waiting', async (t) => {
  const only = await backend(t, 'only')
  only.setReady(false)
  const balancer = await Balancer.over([only.ports])
  t.after(() => balancer.close())
  const heard = () => greeting(balancer.url).catch((error: NodeJS.ErrnoException) => error.code)
  await until(async () => (await heard()) === 'ECONNRESET')
})
