/** Retries, breakers and bulkheads, against real servers that fail on demand. */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import type { MethodPolicy } from '@flowforge/mesh/policy/policy'
import { Breaker } from './breaker.ts'
import { dial } from './client.ts'
import { registry } from './metrics.ts'
import { invalidArgument, permissionDenied, resourceExhausted, StatusError, unavailable } from './status.ts'
import { quietLog } from './testing/log.ts'
import { until } from './testing/poll.ts'
import { askUnary, changedPolicy, readStream, streamPath, streamProbe, unaryPath, unaryProbe } from './testing/probe.ts'
import { testCertificates } from './testing/certificates.ts'
import { startTestServer } from './testing/server.ts'
import type { RetryOwner } from './workload.ts'

const busy = (retryAfterMs?: number) => unavailable('BUSY', 'in a moment', retryAfterMs)
const thrice = { attempts: 3, codes: ['UNAVAILABLE'], safeBy: 'idempotency_level' } as const
/** So many failures in a row that the breaker stays out of it. */
const patient = { consecutiveFailures: 1e6, minPenaltyMs: 1, maxPenaltyMs: 1 }

/** A server whose calls fail while `failure` gives an error, and a channel to it. */
async function setup(t: TestContext, change: Partial<MethodPolicy>, owner: RetryOwner = 'process') {
  const state = {
    calls: 0,
    startedMs: [] as number[],
    failure: (): Error | undefined => undefined,
    hold: Promise.resolve(),
  }
  const policies = changedPolicy(unaryPath, { retry: thrice, breaker: patient, ...change })
  const answer = async () => {
    state.calls += 1
    state.startedMs.push(performance.now())
    await state.hold
    const error = state.failure()
    if (error) throw error
    return 'done'
  }
  const options = { policies, settings: { retryOwner: owner } }
  const server = await startTestServer(t, 'accounts', [unaryProbe(answer)], options)
  return Object.assign(state, { server, channel: server.dialAs('gateway') })
}

const withReason = (code: number, reason: string) => ({ name: 'StatusError', code, reason })

test('a call is repeated as often and after such codes as its policy says', async (t) => {
  const probe = await setup(t, {})
  let failures = 2
  probe.failure = () => (failures-- > 0 ? busy() : undefined)
  equal(await askUnary(probe.channel), 'done')
  equal(probe.calls, 3)
  failures = 99
  await rejects(askUnary(probe.channel), withReason(status.UNAVAILABLE, 'BUSY'))
  equal(probe.calls, 6)
  probe.failure = () => new StatusError(status.ABORTED, 'CONFLICT', 'try again')
  await rejects(askUnary(probe.channel), withReason(status.ABORTED, 'CONFLICT'))
  equal(probe.calls, 7)
})

test('where the mesh owns retries, a failed call and one without a connection are made once', async (t) => {
  const probe = await setup(t, {}, 'mesh')
  probe.failure = () => busy()
  await rejects(askUnary(probe.channel), withReason(status.UNAVAILABLE, 'BUSY'))
  equal(probe.calls, 1)
  await probe.server.stop(0)
  const startedMs = performance.now()
  await rejects(askUnary(probe.channel), { code: status.UNAVAILABLE })
  ok(performance.now() - startedMs < 1_000)
})

test('a call that is safe by its request ID is repeated only when it carries one, whoever owns retries', async (t) => {
  const probe = await setup(t, { retry: { ...thrice, safeBy: 'request_id' } }, 'mesh')
  probe.failure = () => busy()
  const guarded = (isRepeatable: boolean) =>
    new Promise((resolve) => {
      probe.channel.guard(unaryPath).call(
        { deadline: Date.now() + 2_000, isRepeatable },
        (end) => {
          const same = (bytes: Buffer) => bytes
          return probe.channel.client.makeUnaryRequest(unaryPath, same, same, Buffer.alloc(0), end)
        },
        resolve,
      )
    })
  await guarded(false)
  equal(probe.calls, 1)
  await guarded(true)
  equal(probe.calls, 4)
})

test('the server says when to come back, or not to, and the client does as it is told', async (t) => {
  const probe = await setup(t, { retry: { ...thrice, attempts: 2, codes: ['UNAVAILABLE', 'RESOURCE_EXHAUSTED'] } })
  for (const error of [busy(300), resourceExhausted('LIMIT', 'slow down', 300)]) {
    probe.failure = () => error
    const before = probe.startedMs.length
    await rejects(askUnary(probe.channel), { code: error.code })
    const [first, second] = probe.startedMs.slice(before)
    ok(second! - first! >= 295, `came back after ${second! - first!} ms`)
  }
  // Longer than there is time.
  probe.failure = () => busy(60_000)
  await rejects(askUnary(probe.channel), withReason(status.UNAVAILABLE, 'BUSY'))
  equal(probe.calls, 5)
})

test('while everything fails, attempts are at most 1.2 times the calls once the budget is spent', async (t) => {
  const probe = await setup(t, {})
  probe.failure = () => busy()
  const callMany = (count: number) =>
    Promise.allSettled(Array.from({ length: count }, () => askUnary(probe.channel, '', { deadlineMs: 30_000 })))
  await callMany(100)
  const spent = probe.calls
  await callMany(1_000)
  const ratio = (probe.calls - spent) / 1_000
  t.diagnostic(`the first 100 calls became ${spent} attempts, the next 1,000 became ${probe.calls - spent}`)
  ok(spent <= 140 && ratio >= 1 && ratio <= 1.2, `${ratio}`)
})

test('a call with no time left fails at once and is not sent', async (t) => {
  const probe = await setup(t, {})
  const late = askUnary(probe.channel, '', { deadline: Date.now() - 1 })
  await rejects(late, withReason(status.DEADLINE_EXCEEDED, 'NO_TIME_LEFT'))
  equal(probe.calls, 0)
})

test('a call that was never sent waits for the service to be back, though repeating it would not be safe', async (t) => {
  const sharedCertificates = testCertificates()
  const policies = changedPolicy(unaryPath, { retry: undefined })
  const options = { sharedCertificates, policies }
  const first = await startTestServer(t, 'accounts', [unaryProbe(async () => 'first')], options)
  const channel = first.dialAs('gateway')
  equal(await askUnary(channel), 'first')
  await first.stop(0)
  const calls = Array.from({ length: 50 }, () => askUnary(channel, '', { deadlineMs: 5_000 }))
  await startTestServer(t, 'accounts', [unaryProbe(async () => 'second')], { ...options, listen: first.address })
  deepEqual(new Set(await Promise.all(calls)), new Set(['second']))
})

test('failures in a row open the breaker, which refuses at once; a probe that succeeds closes it', async (t) => {
  const breaker = { consecutiveFailures: 3, minPenaltyMs: 200, maxPenaltyMs: 400 }
  const probe = await setup(t, { breaker, retry: undefined }, 'mesh')
  probe.failure = () => busy()
  for (let call = 0; call < 3; call++) await rejects(askUnary(probe.channel), withReason(status.UNAVAILABLE, 'BUSY'))
  await rejects(askUnary(probe.channel), withReason(status.UNAVAILABLE, 'BREAKER_OPEN'))
  equal(probe.calls, 3)
  match(await registry.metrics(), /grpc_client_breaker_state\{upstream="accounts",group="unary"\} 2/)
  match(
    await registry.metrics(),
    /grpc_client_refused_total\{upstream="accounts",group="unary",reason="BREAKER_OPEN"\} [1-9]/,
  )
  ok(probe.server.lines.some(({ upstream, state }) => upstream === 'accounts' && state === 'open'))
  // A failed probe opens it again, for longer.
  await until(() => askUnary(probe.channel).catch(() => probe.calls === 4))
  await rejects(askUnary(probe.channel), withReason(status.UNAVAILABLE, 'BREAKER_OPEN'))
  probe.failure = () => undefined
  equal(await until(() => askUnary(probe.channel).catch(() => undefined)), 'done')
  match(await registry.metrics(), /grpc_client_breaker_state\{upstream="accounts",group="unary"\} 0/)
  equal(await askUnary(probe.channel), 'done')
})

test('while a probe is under way other calls are refused, not queued', async (t) => {
  const breaker = { consecutiveFailures: 1, minPenaltyMs: 20, maxPenaltyMs: 20 }
  const gate = Promise.withResolvers<void>()
  let calls = 0
  const policies = changedPolicy(unaryPath, { breaker, retry: undefined })
  const slow = unaryProbe(async () => {
    if ((calls += 1) === 1) throw busy()
    await gate.promise
    return 'done'
  })
  const settings = { retryOwner: 'mesh' } as const
  const server = await startTestServer(t, 'accounts', [slow], { policies, settings })
  const channel = server.dialAs('gateway')
  await rejects(askUnary(channel), withReason(status.UNAVAILABLE, 'BUSY'))
  await pause(50)
  const probe = askUnary(channel)
  await until(() => calls === 2)
  await rejects(askUnary(channel), withReason(status.UNAVAILABLE, 'BREAKER_OPEN'))
  gate.resolve()
  equal(await probe, 'done')
  equal(await askUnary(channel), 'done')
})

test('a probe that takes its time lets the others in before it ends', { timeout: 30_000 }, async () => {
  const states: string[] = []
  const breaker = new Breaker({ consecutiveFailures: 1, minPenaltyMs: 1, maxPenaltyMs: 1 }, (state) =>
    states.push(state),
  )
  breaker.failed(new Error('first'))
  await until(() => !breaker.isClosed)
  await until(() => breaker.probe(20, () => undefined))
  await until(() => breaker.isClosed)
  deepEqual(states, ['open', 'half-open', 'closed'])
})

test('a stream holds its place for as long as it lives, and gives it back however it ends', async (t) => {
  const policies = changedPolicy(streamPath, { concurrency: 1 })
  const server = await startTestServer(t, 'tasks', [streamProbe(async (_, __, send) => send('hello'))], { policies })
  const channel = server.dialAs('notifications')
  const inFlight = async () =>
    /bulkhead_calls\{upstream="tasks",group="stream"\} (\d)/.exec(await registry.metrics())?.[1]
  const first = readStream(channel)
  equal((await first.next()).value, 'hello')
  equal(await inFlight(), '1')
  await rejects(readStream(channel).next(), withReason(status.UNAVAILABLE, 'BULKHEAD_FULL'))
  await first.return(undefined)
  await until(async () => (await inFlight()) === '0')
  for await (const text of readStream(channel)) equal(text, 'hello')
  await until(async () => (await inFlight()) === '0')
  const controller = new AbortController()
  const aborted = readStream(channel, '', { signal: controller.signal })
  await aborted.next()
  controller.abort()
  await rejects(async () => aborted.next().then(() => aborted.next()))
  await until(async () => (await inFlight()) === '0')
})

test('what a tenant brings upon itself never opens the breaker', async (t) => {
  const breaker = { consecutiveFailures: 2, minPenaltyMs: 60_000, maxPenaltyMs: 60_000 }
  const probe = await setup(t, { breaker, retry: undefined, timeoutMs: 5_000 })
  const refusals = [
    permissionDenied('NOT_YOURS', 'no'),
    resourceExhausted('LIMIT', 'too many'),
    invalidArgument({ field: 'x', description: 'is wrong' }),
    new TypeError('a bug that this request runs into'),
  ]
  for (const error of refusals) {
    probe.failure = () => error
    for (let call = 0; call < 5; call++)
      await rejects(askUnary(probe.channel), (told: StatusError) => told.reason !== 'BREAKER_OPEN')
  }
  // A deadline of its own choice, which nobody could keep.
  probe.hold = new Promise(() => undefined)
  for (let call = 0; call < 5; call++) {
    await rejects(askUnary(probe.channel, '', { deadlineMs: 1 }), { code: status.DEADLINE_EXCEEDED })
  }
  probe.failure = () => undefined
  probe.hold = Promise.resolve()
  equal(await askUnary(probe.channel), 'done')
})

test('no more calls than the policy says are under way at once; one more is refused before it is sent', async (t) => {
  const gate = Promise.withResolvers<string>()
  let calls = 0
  const policies = changedPolicy(unaryPath, { concurrency: 2 })
  const held = unaryProbe(() => ((calls += 1), gate.promise))
  const server = await startTestServer(t, 'accounts', [held], { policies })
  const channel = server.dialAs('gateway')
  const running = [askUnary(channel), askUnary(channel)]
  await rejects(askUnary(channel), withReason(status.UNAVAILABLE, 'BULKHEAD_FULL'))
  await until(() => calls === 2)
  match(await registry.metrics(), /grpc_client_bulkhead_calls\{upstream="accounts",group="unary"\} 2/)
  gate.resolve('done')
  deepEqual(await Promise.all(running), ['done', 'done'])
  equal(await askUnary(channel), 'done')
  equal(calls, 3)
})

test('a caller that gives up ends its pauses too', async (t) => {
  const workload = testCertificates().workloadOf('gateway')
  const channel = dial({ address: '127.0.0.1:1', component: 'accounts', workload, log: quietLog })
  t.after(() => (channel.close(), workload.close()))
  const controller = new AbortController()
  const call = askUnary(channel, '', { signal: controller.signal, deadlineMs: 10_000 })
  setTimeout(() => controller.abort(), 50)
  const startedMs = performance.now()
  await rejects(call, { code: status.CANCELLED })
  ok(performance.now() - startedMs < 1_000)
})
