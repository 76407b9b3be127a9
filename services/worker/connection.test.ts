import { equal, match, rejects } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import {
  WorkerServiceService,
  type WorkRequest,
  type WorkResponse,
} from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { identityOf, identityIn } from '@flowforge/runtime/identity'
import { testCertificates } from '@flowforge/runtime/testing/certificates'
import { Worker, type Log, type WorkerOptions } from '@flowforge/sdk'
import { echo } from './handlers/echo.ts'

/** A server that speaks mTLS, greets every worker and hears nothing else. */
async function startServer(t: TestContext, folder: string) {
  const streams: { identity: string | undefined; end(): void }[] = []
  let wake = (): void => {}
  const server = new Server()
  server.addService(WorkerServiceService, {
    work(call: ServerDuplexStream<WorkRequest, WorkResponse>) {
      call.on('data', () => {})
      call.on('error', () => {})
      call.write({
        message: {
          $case: 'welcome',
          value: {
            session: 1n,
            sessionToken: '',
            heartbeatInterval: undefined,
            sessionTimeout: undefined,
            resumed: false,
          },
        },
      })
      const certificate = call.getAuthContext().sslPeerCertificate
      streams.push({ identity: certificate && identityIn(certificate), end: () => call.end() })
      wake()
    },
  })
  const read = (file: string) => readFileSync(join(folder, file))
  const credentials = ServerCredentials.createSsl(
    read('ca.pem'),
    [{ cert_chain: read('certificate.pem'), private_key: read('key.pem') }],
    true,
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  )
  t.after(() => server.forceShutdown())
  const next = async () => {
    while (streams.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return streams.shift()!
  }
  return { address: `127.0.0.1:${port}`, next }
}

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

function worker(t: TestContext, address: string, tls: WorkerOptions['tls'], log: Log = silent): Worker {
  const one = new Worker({ address, tls, parent: 'projects/-', handlers: { echo }, log })
  t.after(() => one.stop())
  return one
}

test('a worker shows its certificate, and the renewed one on its next stream', async (t) => {
  const certificates = testCertificates()
  const server = await startServer(t, certificates.folderFor('tasks'))
  const folder = certificates.folderFor('worker')
  await worker(t, server.address, { folder, serverName: identityOf('tasks') }).start()
  const first = await server.next()
  equal(first.identity, identityOf('worker'))
  const scope = { namespace: 'renewed', trustDomain: 'cluster.local' }
  await certificates.renew('worker', undefined, scope)
  first.end()
  equal((await server.next()).identity, identityOf('worker', scope))
})

test('a worker talks to nobody but the server it expects', async (t) => {
  const certificates = testCertificates()
  const server = await startServer(t, certificates.folderFor('accounts'))
  const refused = Promise.withResolvers<object>()
  const log = { ...silent, warn: refused.resolve }
  const one = worker(
    t,
    server.address,
    { folder: certificates.folderFor('worker'), serverName: identityOf('tasks') },
    log,
  )
  void one.start()
  match(String(((await refused.promise) as { err: Error }).err), /altnames/)
  equal(one.isConnected, false)
})

test('certificates that are not there are told at the start', async (t) => {
  await rejects(worker(t, '127.0.0.1:1', { folder: '/nonexistent' }).start(), /nonexistent\/ca\.pem/)
})
