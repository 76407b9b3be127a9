import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { status, type ServiceError } from '@grpc/grpc-js'
import type { WorkRequest, WorkResponse } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { notFound, StatusError } from './status.ts'
import { until } from './testing/poll.ts'
import { bidiPath, bidiProbe, changedPolicy, openStream, readStream, streamPath, streamProbe } from './testing/probe.ts'
import { startTestServer } from './testing/server.ts'

const heartbeat: WorkRequest = { message: { $case: 'heartbeat', value: {} } }
const answer: WorkResponse = { message: undefined }

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

test('a server stream sends everything in order and ends with its handler', async (t) => {
  const server = await startTestServer(t, 'tasks', [
    streamProbe(async (text, _, send) => {
      for (let n = 0; n < 200; n++) await send(`${text}${n}`)
    }),
  ])
  const received = await collect(readStream(server.dialAs('notifications'), 'n'))
  deepEqual(
    received,
    Array.from({ length: 200 }, (_, n) => `n${n}`),
  )
})

test('an error of a server stream comes after what was sent before it', async (t) => {
  const server = await startTestServer(t, 'tasks', [
    streamProbe(async (_, __, send) => {
      await send('first')
      throw notFound('projects/p/tasks/t')
    }),
  ])
  const received: string[] = []
  const reading = async () => {
    for await (const text of readStream(server.dialAs('notifications'))) received.push(text)
  }
  await rejects(reading(), { code: status.NOT_FOUND, reason: 'NOT_FOUND', message: 'projects/p/tasks/t was not found' })
  deepEqual(received, ['first'])
})

test('a slow reader holds the sender back, and one that leaves ends it', async (t) => {
  let sent = 0
  let outcome: unknown
  const server = await startTestServer(t, 'tasks', [
    streamProbe(async (_, __, send) => {
      try {
        for (;;) {
          await send('x'.repeat(100_000))
          sent += 1
        }
      } catch (error) {
        outcome = error
        throw error
      }
    }),
  ])
  const stream = readStream(server.dialAs('notifications'))
  await stream.next()
  let last = -1
  // Nobody reads: the sender comes to rest.
  await until(() => last === (last = sent) && sent > 0, { everyMs: 100 })
  ok(sent < 100, `${sent} messages were sent to a reader who took one`)
  await stream.return(undefined)
  await until(() => outcome)
  ok(outcome instanceof StatusError && outcome.code === status.CANCELLED)
})

test('a stream that is silent for longer than its policy allows is ended', async (t) => {
  const policies = changedPolicy(streamPath, { idleTimeoutMs: 50 })
  let aborted = false
  const hang = streamProbe(async (_, { signal }) => {
    await once(signal, 'abort')
    aborted = true
  })
  const server = await startTestServer(t, 'tasks', [hang], { policies })
  await rejects(collect(readStream(server.dialAs('notifications'))), {
    code: status.DEADLINE_EXCEEDED,
    reason: 'IDLE_TIMEOUT',
  })
  await until(() => aborted)
})

test('a bidirectional stream answers each message until the client closes its side', async (t) => {
  const server = await startTestServer(t, 'tasks', [
    bidiProbe(async (call) => {
      for await (const _ of call.requests) call.send(answer)
    }),
  ])
  const stream = openStream(server.dialAs('worker'))
  for (let n = 0; n < 3; n++) stream.write(heartbeat)
  stream.end()
  equal((await collect(stream)).length, 3)
})

test('a bidirectional stream may be read by callback, and an error there is its status', async (t) => {
  let received = 0
  const server = await startTestServer(t, 'tasks', [
    bidiProbe((call) => {
      call.onRequest(() => {
        received += 1
        if (received === 2) throw notFound('sessions/1')
        call.send(answer)
      })
      return call.ended
    }),
  ])
  const stream = openStream(server.dialAs('worker'))
  stream.write(heartbeat)
  stream.once('data', () => stream.write(heartbeat))
  const [error] = (await once(stream, 'error')) as [ServiceError]
  equal(error.code, status.NOT_FOUND)
})

test('a worker that goes away ends the iteration as CANCELLED and aborts the signal', async (t) => {
  let outcome: unknown
  let signal: AbortSignal | undefined
  const server = await startTestServer(t, 'tasks', [
    bidiProbe(async (call, context) => {
      signal = context.signal
      try {
        for await (const _ of call.requests) call.send(answer)
      } catch (error) {
        outcome = error
      }
    }),
  ])
  const stream = openStream(server.dialAs('worker'))
  stream.on('error', () => {})
  stream.write(heartbeat)
  await once(stream, 'data')
  stream.cancel()
  await until(() => outcome && signal?.aborted)
  ok(outcome instanceof StatusError && outcome.code === status.CANCELLED)
})

test('streams hear that the server is stopping and can end in peace', async (t) => {
  const server = await startTestServer(t, 'tasks', [
    streamProbe(async (_, { draining }, send) => {
      await send('hello')
      await once(draining, 'abort')
      await send('goodbye')
    }),
  ])
  const stream = readStream(server.dialAs('notifications'))
  equal((await stream.next()).value, 'hello')
  const stopped = server.stop(5_000)
  equal((await stream.next()).value, 'goodbye')
  equal((await stream.next()).done, true)
  await stopped
})

test('bytes that are no message end a bidirectional stream as INVALID_ARGUMENT', async (t) => {
  const server = await startTestServer(t, 'tasks', [
    bidiProbe(async (call) => {
      for await (const _ of call.requests) call.send(answer)
    }),
  ])
  const same = (bytes: Buffer) => bytes
  const stream = server.dialAs('worker').client.makeBidiStreamRequest(bidiPath, same, same)
  stream.write(Buffer.from([0x0a, 0xff, 0x01]))
  const [error] = (await once(stream, 'error')) as [ServiceError]
  equal(error.code, status.INVALID_ARGUMENT)
})
