import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { status } from '@grpc/grpc-js'
import { AttemptAbortedError, PermanentError, reasonOf, toStatus } from './errors.ts'
import type { Handler, HandlerContext } from './run-attempt.ts'
import { startWorkServer } from './testing/work-server.ts'
import { Worker, type WorkerOptions } from './worker.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

async function setup(t: TestContext, handler: Handler, options: Partial<WorkerOptions> = {}) {
  const server = await startWorkServer()
  const worker = new Worker({
    address: server.address,
    parent: 'projects/-',
    handlers: { test: handler },
    capacity: 4,
    abortGraceMs: 300,
    log: silent,
    ...options,
  })
  t.after(() => {
    server.stop()
    // Not waited for: many tests leave an outcome without its acknowledgement, for which a worker waits 3 s.
    void worker.stop()
  })
  return { server, worker }
}

/** A handler that runs until the test lets it go, and tells the test of its attempts. */
function held() {
  const started = Promise.withResolvers<HandlerContext>()
  const finish = Promise.withResolvers<object>()
  const handler: Handler = (_task, context) => {
    started.resolve(context)
    return finish.promise
  }
  return { handler, started: started.promise, finish: finish.resolve }
}

/** A handler that stops when it is told to, as a good one does. */
function obedient() {
  const started = Promise.withResolvers<HandlerContext>()
  const handler: Handler = (_task, context) => {
    started.resolve(context)
    return new Promise((_resolve, reject) =>
      context.signal.addEventListener('abort', () => reject(context.signal.reason)),
    )
  }
  return { handler, started: started.promise }
}

async function aborted({ signal }: HandlerContext): Promise<string> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  ok(signal.reason instanceof AttemptAbortedError)
  return signal.reason.reason
}

test('the hello says who the worker is and what it takes', async (t) => {
  const { server, worker } = await setup(t, () => {}, { queues: ['mail'], name: 'one', capacity: 3 })
  const started = worker.start()
  const hello = await (await server.next()).welcome()
  await started
  const { parent, queues, types, capacity, leases } = hello
  deepEqual([parent, hello.worker, queues, types, capacity, leases], ['projects/-', 'one', ['mail'], ['test'], 3, []])
})

test('a wrong hello is told to whoever starts the worker, not repeated for ever', async (t) => {
  const { server, worker } = await setup(t, () => {})
  const started = worker.start()
  const refused = rejects(started, { code: status.INVALID_ARGUMENT })
  ;(await server.next()).break(status.INVALID_ARGUMENT)
  await refused
})

test('a resumed session keeps its handlers and says unacknowledged outcomes again', async (t) => {
  const { handler, started, finish } = held()
  const { server, worker } = await setup(t, (task, context) =>
    task.uid === 'quick' ? { quick: true } : handler(task, context),
  )
  void worker.start()
  const first = await server.next()
  await first.welcome()
  first.lease('quick')
  first.lease('slow')
  await first.next('outcome')
  const { signal } = await started
  first.break(status.UNAVAILABLE)

  const second = await server.next()
  const hello = await second.welcome({ resumed: true })
  deepEqual([hello.session, hello.sessionToken, hello.leases.length], [7n, 'secret', 2])
  const again = await second.next('outcome')
  deepEqual(again.outcome?.value, { result: { quick: true } })
  second.acknowledge(again)
  finish({ slow: true })
  deepEqual((await second.next('outcome')).outcome?.value, { result: { slow: true } })
  equal(signal.aborted, false)
})

test('an acknowledged outcome is not said again', async (t) => {
  const { server, worker } = await setup(t, () => ({ done: true }))
  void worker.start()
  const first = await server.next()
  await first.welcome()
  first.lease('a')
  first.acknowledge(await first.next('outcome'))
  await first.next('heartbeat')
  first.break(status.UNAVAILABLE)
  const second = await server.next()
  deepEqual((await second.welcome({ resumed: true })).leases, [])
})

test('when the session cannot be resumed, handlers are aborted as lost and report nothing', async (t) => {
  const { handler, started } = obedient()
  const { server, worker } = await setup(t, handler)
  void worker.start()
  const first = await server.next()
  await first.welcome()
  first.lease('a')
  const context = await started
  first.break(status.UNAVAILABLE)
  const second = await server.next()
  await second.welcome({ resumed: false, session: 8n })
  equal(await aborted(context), 'lost')
  await second.next('heartbeat')
  equal(second.waiting('outcome'), 0)
})

test('a hello refused for its session is followed by one that asks for a new session', async (t) => {
  const { handler, started } = obedient()
  const { server, worker } = await setup(t, handler)
  void worker.start()
  const first = await server.next()
  await first.welcome()
  first.lease('a')
  const context = await started
  first.break(status.UNAVAILABLE)
  ;(await server.next()).break(status.PERMISSION_DENIED)
  equal(await aborted(context), 'lost')
  const hello = await (await server.next()).welcome()
  deepEqual([hello.session, hello.sessionToken, hello.leases], [0n, '', []])
})

test('without a server for the session timeout, handlers are aborted as lost', async (t) => {
  const { handler, started } = obedient()
  const { server, worker } = await setup(t, handler)
  void worker.start()
  const first = await server.next()
  await first.welcome({ timeoutMs: 300 })
  first.lease('a')
  const context = await started
  server.stop()
  equal(await aborted(context), 'lost')
})

test('a server that no longer answers heartbeats is left for another stream', async (t) => {
  const { server, worker } = await setup(t, () => {})
  void worker.start()
  const first = await server.next()
  await first.welcome({ heartbeatMs: 100 })
  await first.next('heartbeat')
  first.answersHeartbeats = false
  const second = await server.next()
  await second.welcome({ resumed: true })
  await first.ended
  await second.next('heartbeat')
  ok(worker.isConnected)
})

test('after GoAway the session goes on over another stream, and then the first is closed', async (t) => {
  const { handler, started, finish } = held()
  const { server, worker } = await setup(t, handler)
  void worker.start()
  const first = await server.next()
  await first.welcome()
  first.lease('a')
  const { signal } = await started
  first.send({ $case: 'goAway', value: {} })
  const second = await server.next()
  // Pushed between the hello and its welcome: not in the hello, so it must not be run here.
  first.lease('late')
  const released = await first.next('outcome')
  deepEqual([released.lease?.task, released.outcome?.$case], ['projects/default/tasks/late', 'release'])
  const hello = await second.welcome({ resumed: true })
  equal(hello.leases.length, 1)
  await first.ended
  finish({ moved: true })
  deepEqual((await second.next('outcome')).outcome?.value, { result: { moved: true } })
  equal(signal.aborted, false)
})

test('a worker that stops while it moves to another stream says there that it leaves', async (t) => {
  const { server, worker } = await setup(t, held().handler)
  void worker.start()
  const first = await server.next()
  await first.welcome()
  first.send({ $case: 'goAway', value: {} })
  const second = await server.next()
  const stopped = worker.drain(0)
  await first.next('drain')
  await second.welcome({ resumed: true })
  await second.next('drain')
  await second.ended
  await stopped
})

test('a cancelled attempt is told within a second and gives the task back as cancelled', async (t) => {
  const { handler, started } = obedient()
  const { server, worker } = await setup(t, handler)
  void worker.start()
  const stream = await server.next()
  await stream.welcome()
  stream.lease('a')
  const context = await started
  const askedAt = performance.now()
  stream.send({ $case: 'cancel', value: { lease: { task: 'projects/default/tasks/a', attempt: 1, session: 7n } } })
  equal(await aborted(context), 'cancelled')
  ok(performance.now() - askedAt < 1_000)
  deepEqual((await stream.next('outcome')).outcome?.value, { snooze: undefined, cancelled: true })
})

test('a handler that ignores its cancellation cannot hold the attempt open', async (t) => {
  const { handler, started } = held()
  const { server, worker } = await setup(t, handler)
  void worker.start()
  const stream = await server.next()
  await stream.welcome()
  stream.lease('a')
  await started
  stream.send({ $case: 'cancel', value: { lease: { task: 'projects/default/tasks/a', attempt: 1, session: 7n } } })
  deepEqual((await stream.next('outcome')).outcome?.value, { snooze: undefined, cancelled: true })
})

test('a lost lease aborts its handler and nothing is reported', async (t) => {
  const { handler, started } = obedient()
  const { server, worker } = await setup(t, handler)
  void worker.start()
  const stream = await server.next()
  await stream.welcome()
  stream.lease('a')
  const context = await started
  stream.send({ $case: 'lost', value: { lease: { task: 'projects/default/tasks/a', attempt: 1, session: 7n } } })
  equal(await aborted(context), 'lost')
  await stream.next('heartbeat')
  equal(stream.waiting('outcome'), 0)
})

test('a result that the server refuses becomes a permanent failure, once', async (t) => {
  const { server, worker } = await setup(t, () => ({ large: true }))
  void worker.start()
  const stream = await server.next()
  await stream.welcome()
  stream.lease('a')
  const refusal = toStatus(
    new PermanentError('too large', { reason: 'RESULT_TOO_LARGE', code: status.INVALID_ARGUMENT }),
  )
  stream.acknowledge(await stream.next('outcome'), refusal)
  const second = await stream.next('outcome')
  ok(second.outcome?.$case === 'failure')
  deepEqual([second.outcome.value.permanent, reasonOf(second.outcome.value.error)], [true, 'RESULT_TOO_LARGE'])
  stream.acknowledge(second, refusal)
  await stream.next('heartbeat')
  equal(stream.waiting('outcome'), 0)
})

test('an outcome that could not be recorded now is said again', async (t) => {
  const { server, worker } = await setup(t, () => ({ done: true }))
  void worker.start()
  const stream = await server.next()
  await stream.welcome()
  stream.lease('a')
  stream.acknowledge(await stream.next('outcome'), {
    code: status.UNAVAILABLE,
    message: 'the database restarts',
    details: [],
  })
  deepEqual((await stream.next('outcome')).outcome?.value, { result: { done: true } })
})

test('progress is sent at once, and the latest again after a reconnect', async (t) => {
  const { handler, started } = held()
  const { server, worker } = await setup(t, handler)
  void worker.start()
  const first = await server.next()
  await first.welcome()
  first.lease('a')
  const { progress } = await started
  progress({ done: 1 })
  progress({ done: 2 })
  deepEqual((await first.next('progress')).progress, { done: 1 })
  first.break(status.UNAVAILABLE)
  const second = await server.next()
  await second.welcome({ resumed: true })
  deepEqual((await second.next('progress')).progress, { done: 2 })
})

test('a draining worker finishes what fits in the grace, gives back the rest, and takes no more', async (t) => {
  const slow = obedient()
  const { handler, started, finish } = held()
  const { server, worker } = await setup(t, (task, context) =>
    task.uid === 'slow' ? slow.handler(task, context) : handler(task, context),
  )
  void worker.start()
  const stream = await server.next()
  await stream.welcome()
  stream.lease('quick')
  stream.lease('slow')
  await Promise.all([started, slow.started])
  const drained = worker.drain(200)
  await stream.next('drain')
  stream.lease('late')
  const late = await stream.next('outcome')
  deepEqual([late.lease?.task, late.outcome?.$case], ['projects/default/tasks/late', 'release'])
  stream.acknowledge(late)
  finish({ quick: true })
  const quick = await stream.next('outcome')
  equal(quick.outcome?.$case, 'success')
  stream.acknowledge(quick)
  const rest = await stream.next('outcome')
  deepEqual(rest.outcome?.value, { snooze: undefined, cancelled: false })
  equal(await aborted(await slow.started), 'draining')
  stream.acknowledge(rest)
  await drained
  await stream.ended
})

test('a type without a handler fails, even when an object has a property of that name', async (t) => {
  const { server, worker } = await setup(t, () => {})
  void worker.start()
  const stream = await server.next()
  await stream.welcome()
  stream.lease('a', { type: 'constructor' })
  equal((await stream.next('outcome')).outcome?.$case, 'failure')
})
