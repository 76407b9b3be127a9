/** The same unary call, made in four ways; client and server in one process, over mutual TLS on a kept connection. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { credentials, Metadata, Server, ServerCredentials } from '@grpc/grpc-js'
import {
  AuthServiceClient,
  AuthServiceService,
  VerifyApiKeyRequest,
  VerifyApiKeyResponse,
} from '@flowforge/proto/flowforge/accounts/v1/auth_service.ts'
import { watchCertificates } from '@flowforge/runtime/certificates'
import { client, dial } from '@flowforge/runtime/client'
import { GrpcServer } from '@flowforge/runtime/grpc/server'
import { createHealth } from '@flowforge/runtime/health'
import { defaultScope, identityOf } from '@flowforge/runtime/identity'
import { createLogger, type Logger } from '@flowforge/runtime/log'
import { mtlsWorkload } from '@flowforge/runtime/mtls-workload'
import { service, startServer } from '@flowforge/runtime/server'
import { startTelemetry } from '@flowforge/runtime/telemetry'
import { UnaryChannel } from '@flowforge/grpc/unary/channel'

/** Makes one call and resolves with its answer. */
export type Call = () => Promise<VerifyApiKeyResponse>

const request = { secret: 'ff_a-key-as-long-as-those-that-accounts-gives-out' }
const answer: VerifyApiKeyResponse = {
  principal: 'projects/default/apiKeys/benchmark',
  project: 'projects/default',
  roles: [],
  expireTime: undefined,
}
const serverName = identityOf('accounts', defaultScope)
const settings = { policyMode: 'enforce', retryOwner: 'process' } as const

/** How a call is made; `folder` holds a folder of certificates for each component. */
export const variants = {
  'grpc-js': bareGrpcJs,
  transport: bareTransport,
  enforced: (folder: string) => enforced(folder, createLogger('benchmark', 'info')),
  async observed(folder: string) {
    await startTelemetry('benchmark')
    return enforced(folder, createLogger('benchmark', 'debug'))
  },
} satisfies Record<string, (folder: string) => Promise<Call>>

/** grpc-js alone: no identity, no policy, no deadline. */
async function bareGrpcJs(folder: string): Promise<Call> {
  const read = (component: string, file: string) => readFileSync(join(folder, component, file))
  const ca = read('accounts', 'ca.pem')
  const pair = (component: string) => ({
    private_key: read(component, 'key.pem'),
    cert_chain: read(component, 'certificate.pem'),
  })
  const server = new Server({ 'grpc.enable_channelz': 0 })
  server.addService(AuthServiceService, {
    verifyApiKey: (_: unknown, done: (error: null, response: VerifyApiKeyResponse) => void) => done(null, answer),
  })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createSsl(ca, [pair('accounts')], true), (error, bound) =>
      error ? reject(error) : resolve(bound),
    )
  })
  const own = pair('gateway')
  const options = { 'grpc.ssl_target_name_override': serverName, 'grpc.enable_channelz': 0 }
  const stub = new AuthServiceClient(
    `127.0.0.1:${port}`,
    credentials.createSsl(ca, own.private_key, own.cert_chain),
    options,
  )
  return () =>
    new Promise((resolve, reject) => {
      stub.verifyApiKey(request, (error, response) => (error ? reject(error) : resolve(response)))
    })
}

/** What our calls travel by, and nothing else: what is above it is the price of what the runtime enforces. */
async function bareTransport(folder: string): Promise<Call> {
  const log = createLogger('benchmark')
  const workloads = ['accounts', 'gateway'].map((component) =>
    mtlsWorkload(watchCertificates(join(folder, component), log), settings),
  )
  const server = new GrpcServer({ requestBytesMax: 1_000_000, tls: workloads[0]!.serverTls })
  server.addService(AuthServiceService, {
    verifyApiKey: (_: unknown, done: (error: null, response: VerifyApiKeyResponse) => void) => done(null, answer),
  })
  const target = `127.0.0.1:${await server.listen('127.0.0.1', 0)}`
  const tls = workloads[1]!.tlsTo('accounts')
  const channel = new UnaryChannel({ target, tls, answerBytesMax: 1_000_000, attemptsMax: 1 })
  const { path } = AuthServiceService.verifyApiKey
  return () =>
    new Promise((resolve, reject) => {
      const message = VerifyApiKeyRequest.encode(request).finish()
      channel.call({ path, message, metadata: new Metadata(), deadline: Infinity }, (error, bytes) =>
        error ? reject(error) : resolve(VerifyApiKeyResponse.decode(bytes!)),
      )
    })
}

/** As every service of FlowForge calls another: identity, authorization, deadline, breaker, bulkhead, retries, metrics. */
async function enforced(folder: string, log: Logger): Promise<Call> {
  const workload = (component: string) => mtlsWorkload(watchCertificates(join(folder, component), log), settings)
  const health = createHealth()
  const services = [service({ verifyApiKey: AuthServiceService.verifyApiKey }, { verifyApiKey: async () => answer })]
  const server = await startServer({ listen: '127.0.0.1:0', workload: workload('accounts'), services, log, health })
  const address = `127.0.0.1:${server.port}`
  const channel = dial({ address, component: 'accounts', workload: workload('gateway'), log })
  const auth = client(AuthServiceClient, channel)
  return () => auth.verifyApiKey(request)
}
