/**
 * Who gets in where: the services of `npm start`, called over real sockets under every identity and in every way that a
 * caller may come, do what the contracts declare. Then the certificates and their authority change while calls are made.
 */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { SecureClientSessionOptions } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Metadata, type ServiceError } from '@grpc/grpc-js'
import { createAuthority, issue, type KeyPair } from '@flowforge/local/certificate-authority'
import { renewCertificates } from '@flowforge/local/certificates'
import { startSystem } from '@flowforge/local/system'
import { watchCertificates } from '@flowforge/runtime/certificates'
import { dial } from '@flowforge/runtime/client'
import { identityOf } from '@flowforge/runtime/identity'
import { mtlsWorkload } from '@flowforge/runtime/mtls-workload'
import { components, loadPolicies, type Component } from '@flowforge/runtime/policy'
import { quietLog } from '@flowforge/runtime/testing/log'
import { until } from '@flowforge/runtime/testing/poll'
import { Client } from '@flowforge/sdk/client'
import { openConnection, type Outcome } from './testing/raw-call.ts'
import { scratchFolder } from './testing/scratch-folder.ts'

const hourMs = 3_600_000
const scratch = scratchFolder()
const options = { dataDir: join(scratch.path, '.flowforge'), port: 0, durable: false }
const system = await startSystem({ ...options, workers: 1 })
after(async () => {
  await system.stop()
  scratch.remove()
})
const { certificates } = system.folder
const readCa = (name: string) => readFileSync(join(certificates, 'ca', name), 'utf8')
const trusted: KeyPair = { certificate: readCa('1.certificate.pem'), key: readCa('1.key.pem') }
const stranger = identityOf('gateway', { namespace: 'elsewhere', trustDomain: 'cluster.local' })
const identities = new Map<string, Component | undefined>([
  ...components.map((component) => [identityOf(component), component] as const),
  [stranger, undefined],
])

/** The ways in which a caller may come; undefined is plaintext. */
const ways: Record<string, (identity: string) => Promise<SecureClientSessionOptions | undefined>> = {
  mTLS: async (identity) => signedBy(trusted, identity),
  plaintext: async () => undefined,
  'no certificate': async () => ({ ca: trusted.certificate }),
  'other CA': async (identity) => signedBy(await createAuthority(new Date(), hourMs), identity),
  expired: async (identity) => signedBy(trusted, identity, new Date(Date.now() - 2 * hourMs)),
}

async function signedBy(authority: KeyPair, identity: string, from = new Date()): Promise<SecureClientSessionOptions> {
  const { certificate, key } = await issue(authority, [identity], from, hourMs)
  return { ca: trusted.certificate, cert: certificate, key }
}

const builtins = [
  '/grpc.health.v1.Health/Check',
  '/grpc.health.v1.Health/Watch',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
]
const unknown = '/flowforge.tasks.v1.TaskService/Guess'
// Whoever is let in is told that these bytes are no message: so every RPC can be called and none does anything.
const malformed = Buffer.from([0x0a, 0xff, 0x01])
const boast = { 'l5d-client-id': identityOf('gateway'), 'flowforge-principal': 'projects/default/apiKeys/admin' }

function pathsOf(service: string): string[] {
  const own = [...loadPolicies().values()].filter((policy) => policy.component === service).map(({ path }) => path)
  return [...own, ...builtins, unknown]
}

function messageFor(path: string): Buffer {
  return loadPolicies().has(path) ? malformed : Buffer.alloc(0)
}

/** What the contracts say about a call. */
function declared(way: string, component: Component | undefined, path: string): Outcome {
  if (way !== 'mTLS') return 'no connection'
  if (path === unknown) return 'NOT_FOUND UNKNOWN_METHOD'
  if (component === undefined) return 'PERMISSION_DENIED UNKNOWN_IDENTITY'
  const policy = loadPolicies().get(path)
  if (!policy) return 'served'
  return policy.callers.has(component) ? 'INVALID_ARGUMENT MALFORMED_REQUEST' : 'PERMISSION_DENIED CALLER_NOT_ALLOWED'
}

test('every identity, RPC and way of coming has the outcome that the contracts declare', async (t) => {
  const expected: Record<string, Outcome> = {}
  const held = new Map<string, ReturnType<(typeof ways)[string]>>()
  const heldBy = (identity: string, way: string) => {
    const key = `${identity} ${way}`
    if (!held.has(key)) held.set(key, ways[way]!(identity))
    return held.get(key)!
  }
  const seen: Record<string, Outcome> = {}
  const rows = Object.entries(system.addresses).flatMap(([service, address]) => {
    const paths = pathsOf(service)
    return [...identities].flatMap(([identity, component]) =>
      Object.keys(ways).map((way) => ({
        address,
        paths,
        name: `${service} by ${identity.split('.').slice(0, 2).join('.')}, ${way}`,
        outcome: (path: string) => declared(way, component, path),
        credentials: heldBy(identity, way),
      })),
    )
  })
  for (const { address, paths, name, outcome, credentials } of rows) {
    const connection = openConnection(address, await credentials)
    const calls = paths.map(async (path) => {
      expected[`${name}: ${path}`] = outcome(path)
      seen[`${name}: ${path}`] = await connection.call(path, messageFor(path), boast)
    })
    await Promise.all(calls)
    connection.close()
  }
  t.diagnostic(`${Object.keys(seen).length} cells`)
  deepEqual(seen, expected)
})

test('certificates and their authority change under load, and no call fails', async (t) => {
  const client = new Client({ url: system.url, apiKey: system.apiKey })
  const authority = { folder: certificates, identityOf: (component: string) => identityOf(component) }
  const failures: string[] = []
  const made = { requests: 0, handshakes: 0 }
  let isRunning = true
  const load = [0, 1].map(async () => {
    while (isRunning) {
      const { name } = await client.createTask({ type: 'echo', payload: {} })
      const task = await client.getTask(name)
      equal(task.name, name)
      made.requests += 2
    }
  })
  // Each of these calls connects anew, with the files of this moment, and nobody repeats it.
  const source = watchCertificates(join(certificates, 'operator'), quietLog, 50)
  t.after(() => source.close())
  const workload = mtlsWorkload(source, { policyMode: 'enforce', retryOwner: 'mesh' })
  const handshakes = Object.entries(system.addresses).map(async ([component, address]) => {
    while (isRunning) {
      const channel = dial({ address, component, workload, log: quietLog })
      const error = await new Promise<ServiceError | null>((resolve) => {
        const request = { path: builtins[0]!, message: Buffer.alloc(0), metadata: new Metadata() }
        channel.unary.call({ ...request, deadline: Date.now() + 20_000 }, resolve)
      })
      channel.close()
      if (error) failures.push(`${component}: ${error.message}`)
      made.handshakes += 1
    }
  })
  const step = async (change: () => Promise<void>) => {
    const logs = ['gateway', 'tasks', 'accounts', 'notifications', 'worker-1'].map((name) =>
      join(system.folder.log, `${name}.log`),
    )
    const renewals = () => logs.map((log) => readFileSync(log, 'utf8').split('certificates renewed').length)
    const before = renewals()
    await change()
    await until(() => renewals().every((count, index) => count > before[index]!), {
      deadlineMs: 30_000,
      everyMs: 50,
    })
    const after = { ...made }
    const hasGoneOn = () => made.requests > after.requests + 20 && made.handshakes > after.handshakes + 20
    await until(hasGoneOn, { deadlineMs: 60_000, everyMs: 20 })
  }
  const authorities = () => readdirSync(join(certificates, 'ca')).filter((file) => file.endsWith('.certificate.pem'))

  const rolling = (async () => {
    await step(() => renewCertificates({ ...authority, overlapMs: Infinity }))
    deepEqual(authorities(), ['1.certificate.pem', '2.certificate.pem'])
    await step(() => renewCertificates({ ...authority, settlesMs: 0 }))
    for (const file of ['1.certificate.pem', '1.key.pem']) rmSync(join(certificates, 'ca', file))
    await step(() => renewCertificates({ ...authority, settlesMs: 0 }))
  })().finally(() => (isRunning = false))
  await Promise.all([rolling, ...load, ...handshakes])
  deepEqual(failures, [])
  t.diagnostic(`${made.requests} requests and ${made.handshakes} handshakes`)

  await t.test('connections that are made later know the new authority alone', async () => {
    const own = new X509Certificate(readFileSync(join(certificates, 'tasks', 'certificate.pem')))
    ok(own.verify(new X509Certificate(readCa('2.certificate.pem')).publicKey))
    const restarts = ['tasks', 'accounts', 'notifications', 'gateway', 'worker-1'].map(async (name) => {
      const before = system.pids()[name]
      system.kill(name, 'SIGTERM')
      await until(() => ![undefined, before].includes(system.pids()[name]), { deadlineMs: 30_000 })
    })
    await Promise.all(restarts)
    const { name } = await until(() => client.createTask({ type: 'echo', payload: {} }).catch(() => undefined), {
      deadlineMs: 30_000,
    })
    const states = await Array.fromAsync(client.watchTask(name), ({ state }) => state)
    equal(states.at(-1), 'TASK_STATE_SUCCEEDED')
  })
})

test('in a mesh the same callers get in, by the word of the proxy, and nobody without it', async (t) => {
  await system.stop()
  const proxyAdmin = createServer((_, response) => response.end('ready\n')).listen(0, '127.0.0.1')
  await once(proxyAdmin, 'listening')
  t.after(() => proxyAdmin.close())
  const env = {
    FLOWFORGE_TRANSPORT: 'mesh',
    FLOWFORGE_PROXY_ADMIN: `127.0.0.1:${(proxyAdmin.address() as AddressInfo).port}`,
  }
  const meshed = await startSystem({ ...options, workers: 0, env })
  t.after(() => meshed.stop())
  const expected: Record<string, Outcome> = {}
  const seen: Record<string, Outcome> = {}
  for (const [service, address] of Object.entries(meshed.addresses)) {
    const connection = openConnection(address, undefined)
    for (const [identity, component] of [...identities, ['', undefined] as const]) {
      const headers: Record<string, string> = identity === '' ? {} : { 'l5d-client-id': identity }
      const calls = pathsOf(service).map(async (path) => {
        expected[`${service} by ${identity}: ${path}`] = declared('mTLS', component, path)
        seen[`${service} by ${identity}: ${path}`] = await connection.call(path, messageFor(path), headers)
      })
      await Promise.all(calls)
    }
    connection.close()
  }
  t.diagnostic(`${Object.keys(seen).length} cells`)
  deepEqual(seen, expected)
})
