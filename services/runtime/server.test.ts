import { deepEqual, doesNotMatch, equal, match, ok, rejects } from 'node:assert/strict'
import { connect } from 'node:http2'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { Metadata, status, type ServiceError } from '@grpc/grpc-js'
import { dial, type Channel } from './client.ts'
import { identityOf } from './identity.ts'

import { registry } from './metrics.ts'
import { failedPrecondition, fromServiceError, invalidArgument, StatusError } from './status.ts'
import { otherAuthority, testAuthority, testCertificates } from './testing/certificates.ts'
import { quietLog } from './testing/log.ts'
import { until } from './testing/poll.ts'
import { askUnary, changedPolicy, unaryPath, unaryProbe } from './testing/probe.ts'
import { startTestServer } from './testing/server.ts'

/** Sends bytes to a path past our client, and rejects with the StatusError that comes back. */
function sendRaw(channel: Channel, path: string, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const same = (value: Buffer) => value
    const done = (error: ServiceError | null, value?: Buffer) =>
      error ? reject(fromServiceError(error)) : resolve(value!)
    channel.client.makeUnaryRequest(path, same, same, bytes, new Metadata(), { deadline: Date.now() + 5_000 }, done)
  })
}

function withCode(code: number, reason?: string) {
  return (error: unknown) => {
    ok(error instanceof StatusError, String(error))
    equal(error.code, code, error.message)
    if (reason) equal(error.reason, reason)
    return true
  }
}

async function setup(t: TestContext, answer: Parameters<typeof unaryProbe>[0], options = {}) {
  const server = await startTestServer(t, 'accounts', [unaryProbe(answer)], options)
  return { server, gateway: server.dialAs('gateway') }
}

test('a handler learns who calls, from the caller’s certificate', async (t) => {
  const { gateway } = await setup(t, async (_, { component, identity }) => `${component} ${identity}`)
  equal(await askUnary(gateway), 'gateway gateway.flowforge.serviceaccount.identity.linkerd.cluster.local')
})

test('the gateway’s word about the principal is believed, and nobody else’s', async (t) => {
  const policies = changedPolicy(unaryPath, { callers: new Set(['gateway', 'worker']) })
  const { server, gateway } = await setup(t, async (_, call) => `${call.principal} in ${call.project}`, { policies })
  const metadata = { 'flowforge-principal': 'projects/p/apiKeys/k', 'flowforge-project': 'projects/p' }
  equal(await askUnary(gateway, '', { metadata }), 'projects/p/apiKeys/k in projects/p')
  match(await askUnary(server.dialAs('worker'), '', { metadata }), /^worker\.flowforge\..* in undefined$/)
})

test('what a call logs carries the request ID that the gateway gave it', async (t) => {
  const { server, gateway } = await setup(t, async (_, { log }) => (log.info('seen'), ''))
  await askUnary(gateway, '', { metadata: { 'x-request-id': 'one-17' } })
  equal(server.lines.find(({ msg }) => msg === 'seen')?.['requestId'], 'one-17')
})

test('a caller that the policy does not name is refused before the handler runs', async (t) => {
  let ran = false
  const { server } = await setup(t, async () => ((ran = true), ''))
  await rejects(askUnary(server.dialAs('worker')), withCode(status.PERMISSION_DENIED, 'CALLER_NOT_ALLOWED'))
  equal(ran, false)
})

test('calls over the declared rate are refused with the time to wait, and a refused caller does not use it up', async (t) => {
  const policies = changedPolicy(unaryPath, { rate: { requestsPerSecond: 3, perIdentity: undefined } })
  let ran = 0
  const { server, gateway } = await setup(t, async () => String((ran += 1)), { policies })
  const worker = server.dialAs('worker')
  for (let call = 0; call < 5; call++) await rejects(askUnary(worker), withCode(status.PERMISSION_DENIED))
  const calls = await Promise.allSettled(Array.from({ length: 20 }, () => askUnary(gateway)))
  const refused = calls.flatMap((call) => (call.status === 'rejected' ? [call.reason as StatusError] : []))
  ok(refused.length >= 16 && ran === 20 - refused.length)
  for (const error of refused) withCode(status.RESOURCE_EXHAUSTED, 'RATE_LIMITED')(error)
  equal(refused[0]?.details[0]?.type, 'google.rpc.RetryInfo')
})

test('under audit every call is served, and those that policy forbids are logged and counted', async (t) => {
  const { server } = await setup(t, async (_, { component }) => `for ${component}`, {
    settings: { policyMode: 'audit' },
  })
  registry.resetMetrics()
  equal(await askUnary(server.dialAs('worker')), 'for worker')
  const line = server.lines.find(({ level }) => level === 'warn')
  match(String(line?.msg), /would be refused: worker may not call flowforge\.accounts\.v1\.AuthService\/VerifyApiKey/)
  match(await registry.metrics(), denialLine('false'))
})

test('a refused call is counted by RPC and caller', async (t) => {
  const { server } = await setup(t, async () => '')
  registry.resetMetrics()
  await rejects(askUnary(server.dialAs('worker')))
  match(await registry.metrics(), denialLine('true'))
})

function denialLine(enforced: string): RegExp {
  const labels = `method="${unaryPath.slice(1)}",caller="worker",reason="CALLER_NOT_ALLOWED",enforced="${enforced}"`
  return new RegExp(`^grpc_server_denied_total\\{${labels}\\} 1$`, 'm')
}

test('what a caller says in the mesh’s name does not reach a handler', async (t) => {
  const { gateway } = await setup(
    t,
    async (_, { metadata, identity }) => `${identity} ${Object.keys(metadata.getMap()).join()}`,
  )
  const metadata = { 'l5d-client-id': identityOf('operator'), 'l5d-dst-canonical': 'x', 'x-kept': 'y' }
  const seen = await askUnary(gateway, '', { metadata })
  match(seen, /^gateway\..* .*x-kept/)
  doesNotMatch(seen, /l5d/)
})

test('a workload of another namespace is a stranger even with a certificate that we trust', async (t) => {
  const { server } = await setup(t, async () => '')
  const certificates = testCertificates()
  await certificates.renew('gateway', [testAuthority], { namespace: 'elsewhere', trustDomain: 'cluster.local' })
  const workload = certificates.workloadOf('gateway')
  // It expects our server, so that the refusal is the server's.
  const channel = dial({
    address: server.address,
    component: 'accounts',
    workload: {
      ...workload,
      tlsTo: (component) => ({ ...workload.tlsTo(component)!, serverName: identityOf(component) }),
    },
    log: quietLog,
  })
  t.after(() => (channel.close(), workload.close()))
  await rejects(askUnary(channel), withCode(status.PERMISSION_DENIED, 'UNKNOWN_IDENTITY'))
})

test('a connection without a certificate, or with one of another authority, does not come about', async (t) => {
  const { server } = await setup(t, async () => '')
  const ca = readFileSync(`${server.certificates.folderFor('gateway')}/ca.pem`)
  const anonymous = connect(`https://${server.address}`, { ca, servername: 'localhost' })
  const answered = once(anonymous.request({ ':path': unaryPath }), 'response')
  await rejects(answered, /certificate required|ECONNRESET/)
  const foreign = testCertificates()
  await foreign.renew('gateway', [await otherAuthority(), testAuthority])
  const workload = foreign.workloadOf('gateway')
  const channel = dial({ address: server.address, component: 'accounts', workload, log: quietLog })
  t.after(() => (channel.close(), workload.close()))
  await rejects(askUnary(channel, '', { deadlineMs: 2_000 }), withCode(status.UNAVAILABLE))
})

test('an error meant for the caller arrives with its reason, details and trailers', async (t) => {
  const { gateway } = await setup(t, async (text, context) => {
    context.setTrailer('retry-hint', 'later')
    if (text === 'field') throw invalidArgument({ field: 'task.type', description: 'is empty' })
    throw failedPrecondition('TASK_FINISHED', 'it has finished', { metadata: { state: 'DEAD' } })
  })
  await rejects(askUnary(gateway, 'field'), (error: StatusError) => {
    withCode(status.INVALID_ARGUMENT, 'INVALID_ARGUMENT')(error)
    equal(error.message, 'task.type: is empty')
    const [detail] = error.details
    ok(detail?.type === 'google.rpc.BadRequest')
    equal(detail.value.fieldViolations[0]?.field, 'task.type')
    return true
  })
  await rejects(askUnary(gateway), (error: StatusError) => {
    withCode(status.FAILED_PRECONDITION, 'TASK_FINISHED')(error)
    deepEqual(error.metadata, { state: 'DEAD' })
    equal((error.cause as ServiceError).metadata.get('retry-hint')[0], 'later')
    return true
  })
})

test('an unknown error tells the caller nothing and the log everything', async (t) => {
  const { server, gateway } = await setup(t, async () => {
    throw new TypeError('password of the database is 1234')
  })
  await rejects(askUnary(gateway), (error: StatusError) => {
    withCode(status.INTERNAL, 'INTERNAL')(error)
    equal(error.message, 'internal error')
    return true
  })
  const line = server.lines.find(({ level }) => level === 'error') as { err: { message: string; stack: string } }
  equal(line.err.message, 'password of the database is 1234')
  match(line.err.stack, /server\.test\.ts/)
})

test('bytes that are no message are INVALID_ARGUMENT, a method nobody has is NOT_FOUND for everybody', async (t) => {
  const { server, gateway } = await setup(t, async () => '')
  await rejects(
    sendRaw(gateway, unaryPath, Buffer.from([0x0a, 0xff, 0x01])),
    withCode(status.INVALID_ARGUMENT, 'MALFORMED_REQUEST'),
  )
  for (const channel of [gateway, server.dialAs('worker')]) {
    const guess = sendRaw(channel, '/flowforge.accounts.v1.AuthService/Guess', Buffer.alloc(0))
    await rejects(guess, withCode(status.NOT_FOUND, 'UNKNOWN_METHOD'))
  }
})

test('four MiB are accepted, much more is RESOURCE_EXHAUSTED', async (t) => {
  const { gateway } = await setup(t, async (text) => String(text.length))
  const mib = 1024 * 1024
  equal(await askUnary(gateway, 'x'.repeat(4 * mib)), String(4 * mib))
  await rejects(askUnary(gateway, 'x'.repeat(5 * mib)), withCode(status.RESOURCE_EXHAUSTED))
})

test('the policy’s timeout holds for a client that asks for none, and aborts the handler', async (t) => {
  const policies = changedPolicy(unaryPath, { timeoutMs: 50 })
  let reason: unknown
  const { gateway } = await setup(
    t,
    (_, { signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => ((reason = signal.reason), resolve('late')))),
    { policies },
  )
  await rejects(sendRaw(gateway, unaryPath, Buffer.alloc(0)), withCode(status.DEADLINE_EXCEEDED))
  withCode(status.DEADLINE_EXCEEDED)(reason)
})

test('a client that cancels aborts the handler’s signal', async (t) => {
  const controller = new AbortController()
  let reason: unknown
  const { gateway } = await setup(t, (_, { signal }) => {
    controller.abort()
    return new Promise((resolve) => signal.addEventListener('abort', () => ((reason = signal.reason), resolve(''))))
  })
  await rejects(askUnary(gateway, '', { signal: controller.signal }), withCode(status.CANCELLED))
  withCode(status.CANCELLED)(await until(() => reason))
})

test('stopping lets running calls finish, refuses new ones, and fails readiness first', async (t) => {
  const gate = Promise.withResolvers<string>()
  let started = false
  const { server, gateway } = await setup(t, () => ((started = true), gate.promise))
  const running = askUnary(gateway)
  await until(() => started)
  const stopped = server.stop(5_000)
  equal(server.health.isReady(), false)
  await rejects(askUnary(server.dialAs('gateway'), '', { deadlineMs: 500 }), StatusError)
  gate.resolve('finished')
  equal(await running, 'finished')
  await stopped
})

test('a call that outlasts the grace ends as UNAVAILABLE, and stopping ends too', async (t) => {
  let signal: AbortSignal | undefined
  const { server, gateway } = await setup(t, (_, context) => ((signal = context.signal), new Promise(() => {})))
  const running = sendRaw(gateway, unaryPath, Buffer.alloc(0))
  await until(() => signal)
  await Promise.all([rejects(running, withCode(status.UNAVAILABLE, 'DRAINING')), server.stop(50)])
  equal(signal?.aborted, true)
})

test('a taken port is one clear line', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.after(() => taken.close())
  const { port } = taken.address() as { port: number }
  await rejects(startTestServer(t, 'accounts', [], { listen: `127.0.0.1:${port}` }), {
    name: 'ConfigError',
    message: `cannot listen on 127.0.0.1:${port}: another process does`,
  })
})

test('a service with an RPC that has no policy or no handler does not start', async (t) => {
  const probe = unaryProbe(async () => '')
  await rejects(startTestServer(t, 'accounts', [probe], { policies: new Map() }), /VerifyApiKey has no policy/)
  await rejects(startTestServer(t, 'accounts', [{ ...probe, handlers: {} }]), /VerifyApiKey has no handler/)
})
