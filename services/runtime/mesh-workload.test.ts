import { equal, match, rejects } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { status } from '@grpc/grpc-js'
import { dial } from './client.ts'
import { readConfig } from './config.ts'
import { createHealth } from './health.ts'
import { identityOf } from './identity.ts'
import { meshWorkload } from './mesh-workload.ts'
import { waitForProxy } from './mesh-proxy.ts'
import { startServer } from './server.ts'
import { quietLog, recordingLog } from './testing/log.ts'
import { askUnary, unaryProbe } from './testing/probe.ts'
import { openWorkload, workloadSpec } from './workload.ts'

const scope = { namespace: 'lab', trustDomain: 'cluster.local', serviceAccounts: { gateway: 'release-gateway' } }
const settings = { policyMode: 'enforce', retryOwner: 'mesh' } as const
const gatewayHeader = { 'l5d-client-id': 'release-gateway.lab.serviceaccount.identity.linkerd.cluster.local' }

/** A server as in a mesh, and calls to it as its proxy would pass them on. */
async function setup(t: TestContext, listen = '127.0.0.1:0') {
  const { log, lines } = recordingLog()
  const workload = meshWorkload(identityOf('accounts', scope), scope, settings, log)
  const services = [unaryProbe(async (_, { component, identity }) => `${component} ${identity}`)]
  const server = await startServer({ listen, workload, services, log, health: createHealth() })
  const channel = dial({ address: `127.0.0.1:${server.port}`, component: 'accounts', workload, log })
  t.after(async () => {
    channel.close()
    await server.stop(0)
  })
  return { lines, ask: (metadata: Record<string, string>) => askUnary(channel, '', { metadata }) }
}

test('in a mesh the proxy says who calls, on each call anew, by whatever name the chart gave the ServiceAccount', async (t) => {
  const { ask } = await setup(t)
  equal(await ask(gatewayHeader), `gateway ${gatewayHeader['l5d-client-id']}`)
  const worker = { 'l5d-client-id': identityOf('worker', scope) }
  await rejects(ask(worker), { code: status.PERMISSION_DENIED, reason: 'CALLER_NOT_ALLOWED' })
  equal(await ask(gatewayHeader), `gateway ${gatewayHeader['l5d-client-id']}`)
})

test('a call without the header, or of another namespace, is nobody’s', async (t) => {
  const { ask } = await setup(t)
  const stranger = { 'l5d-client-id': identityOf('gateway', { ...scope, namespace: 'elsewhere', serviceAccounts: {} }) }
  for (const metadata of [
    {},
    stranger,
    { 'l5d-client-id': identityOf('gateway', { ...scope, serviceAccounts: {} }) },
  ]) {
    await rejects(ask(metadata), { code: status.PERMISSION_DENIED, reason: 'UNKNOWN_IDENTITY' })
  }
})

test('the header is not believed from a peer that is not the pod itself, nor from loopback when others can connect', async (t) => {
  const { ask, lines } = await setup(t, '0.0.0.0:0')
  await rejects(ask(gatewayHeader), { code: status.PERMISSION_DENIED, reason: 'UNKNOWN_IDENTITY' })
  match(JSON.stringify(lines), /came past the mesh’s proxy/)
})

test('a pod in a mesh waits for its proxy, and does not start without one', async (t) => {
  let asked = 0
  const proxy = createServer((_, response) => response.writeHead((asked += 1) > 2 ? 200 : 503).end()).listen(
    0,
    '127.0.0.1',
  )
  await once(proxy, 'listening')
  t.after(() => proxy.close())
  const { port } = proxy.address() as AddressInfo
  await waitForProxy(`127.0.0.1:${port}`, quietLog)
  equal(asked, 3)
  await rejects(waitForProxy('127.0.0.1:1', quietLog, 0), {
    name: 'ConfigError',
    message: /^FLOWFORGE_TRANSPORT is mesh, but no proxy answers at 127\.0\.0\.1:1: inject/,
  })
})

test('what configures a workload is refused in one line when it is wrong', async () => {
  const read = (env: Record<string, string>) => readConfig(workloadSpec, env)
  await rejects(
    async () => openWorkload('tasks', read({}), quietLog),
    /^ConfigError: FLOWFORGE_CERTIFICATES is not set/,
  )
  for (const accounts of ['gateway', 'gatevvay=x', 'gateway=x,tasks=x', 'gateway=a=b', 'gateway=']) {
    await rejects(
      async () => read({ FLOWFORGE_SERVICE_ACCOUNTS: accounts }),
      /^ConfigError: FLOWFORGE_SERVICE_ACCOUNTS must/,
    )
  }
  const { serviceAccounts } = read({ FLOWFORGE_SERVICE_ACCOUNTS: 'gateway=release-gateway, tasks=release-tasks' })
  equal(
    identityOf('tasks', { ...scope, serviceAccounts }),
    'release-tasks.lab.serviceaccount.identity.linkerd.cluster.local',
  )
})
