import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { dial } from './client.ts'
import { registry } from './metrics.ts'
import { testCertificates } from './testing/certificates.ts'
import { quietLog } from './testing/log.ts'
import { until } from './testing/poll.ts'
import { askUnary, changedPolicy, readStream, streamProbe, unaryPath, unaryProbe } from './testing/probe.ts'
import { startTestServer } from './testing/server.ts'

test('the policy’s timeout is the deadline, retries included, unless the caller has less time', async (t) => {
  const policies = changedPolicy(unaryPath, { timeoutMs: 2_000 })
  let asked = 0
  const server = await startTestServer(
    t,
    'accounts',
    [unaryProbe(async (_, { deadline }) => String((asked = deadline - Date.now())))],
    { policies },
  )
  const gateway = server.dialAs('gateway')
  await askUnary(gateway)
  ok(asked > 1_000 && asked <= 2_000)
  await askUnary(gateway, '', { deadline: Date.now() + 1_000 })
  ok(asked <= 1_000)
  const nobody = dial({
    address: '127.0.0.1:1',
    component: 'accounts',
    workload: testCertificates().workloadOf('gateway'),
    log: quietLog,
    policies,
  })
  t.after(() => nobody.close())
  const startedMs = performance.now()
  await rejects(askUnary(nobody), { code: status.UNAVAILABLE })
  ok(performance.now() - startedMs < 3_000)
})

test('a server with another identity than expected never sees the request', async (t) => {
  let seen = 0
  const server = await startTestServer(t, 'accounts', [unaryProbe(async () => String((seen += 1)))])
  const workload = server.certificates.workloadOf('gateway')
  const channel = dial({ address: server.address, component: 'tasks', workload, log: quietLog })
  t.after(() => (channel.close(), workload.close()))
  await rejects(askUnary(channel), { code: status.UNAVAILABLE, message: /not in the cert's altnames/ })
  equal(seen, 0)
})

test('a channel finds a server that was started again on the same port', async (t) => {
  const certificates = testCertificates()
  const options = { sharedCertificates: certificates }
  const first = await startTestServer(t, 'accounts', [unaryProbe(async () => 'first')], options)
  const channel = first.dialAs('gateway')
  equal(await askUnary(channel), 'first')
  await first.stop(1_000)
  await startTestServer(t, 'accounts', [unaryProbe(async () => 'second')], { ...options, listen: first.address })
  equal(await until(() => askUnary(channel)), 'second')
})

test('leaving the loop over a server stream cancels the call', async (t) => {
  let aborted = false
  const server = await startTestServer(t, 'tasks', [
    streamProbe(async (_, { signal }, send) => {
      signal.addEventListener('abort', () => (aborted = true))
      for (;;) await send('more')
    }),
  ])
  for await (const _ of readStream(server.dialAs('notifications'))) break
  await until(() => aborted)
})

test('each call is counted on both sides by method and code', async (t) => {
  const server = await startTestServer(t, 'accounts', [unaryProbe(async () => '')])
  registry.resetMetrics()
  await askUnary(server.dialAs('gateway'))
  await rejects(askUnary(server.dialAs('worker')))
  const lines = (await registry.metrics()).split('\n').filter((line) => /^grpc_\w+_handled_total/.test(line))
  const method = unaryPath.slice(1)
  deepEqual(lines.sort(), [
    `grpc_client_handled_total{method="${method}",code="OK"} 1`,
    `grpc_client_handled_total{method="${method}",code="PERMISSION_DENIED"} 1`,
    `grpc_server_handled_total{method="${method}",code="OK"} 1`,
    `grpc_server_handled_total{method="${method}",code="PERMISSION_DENIED"} 1`,
  ])
  match(await registry.metrics(), /grpc_server_handling_seconds_count\{method="[\w./]+"\} 2/)
})

test('an instance that is drained under load fails no call while another takes over', async (t) => {
  const policies = changedPolicy(unaryPath, { retry: undefined })
  const options = { sharedCertificates: testCertificates(), policies }
  const first = await startTestServer(t, 'accounts', [unaryProbe(async () => 'first')], options)
  const second = await startTestServer(t, 'accounts', [unaryProbe(async () => 'second')], options)
  const workload = options.sharedCertificates.workloadOf('gateway')
  const address = `ipv4:${first.address},${second.address}`
  const channel = dial({ address, component: 'accounts', workload, log: quietLog, policies })
  t.after(() => (channel.close(), workload.close()))
  const counts: Record<string, number> = { first: 0, second: 0 }
  const load = Array.from({ length: 16 }, async () => {
    while (counts.second! < 200) counts[await askUnary(channel)]! += 1
  })
  const draining = until(() => counts.first! > 200).then(() => first.stop(5_000))
  await Promise.all([draining, ...load])
})
