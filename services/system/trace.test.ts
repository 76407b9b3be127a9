/** One trace tells the way of a task through all processes, over a retry and a stream. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { until } from '@flowforge/runtime/testing/poll'
import { startCollector, type Span } from './testing/otlp.ts'
import { startReceiver } from './testing/receiver.ts'
import { startTestSystem } from './testing/test-system.ts'

const collector = await startCollector()
const flaky = await startReceiver((_, index) => (index === 0 ? 500 : 200))
const { call } = await startTestSystem({ env: { ...collector.env, FLOWFORGE_ALLOW_HOSTS: '127.0.0.1' } })

const traceId = randomBytes(16).toString('hex')
const callerSpan = randomBytes(8).toString('hex')
const traceparent = `00-${traceId}-${callerSpan}-01`
const create = 'flowforge.tasks.v1.TaskService/CreateTask'
const watch = 'flowforge.tasks.v1.TaskService/WatchTask'

test('the trace holds each hop with the right parent', async (t) => {
  const task = { type: 'http.request', payload: { url: flaky.url }, retryPolicy: { minBackoff: '0.1s' } }
  const created = await call('POST', '/v1/projects/default/tasks', task, { traceparent })
  equal(created.status, 200, created.text)
  const watched = await call('GET', `/v1/${created.json<{ name: string }>().name}:watch`, undefined, { traceparent })
  ok(watched.text.includes('TASK_STATE_SUCCEEDED'), watched.text)

  const trace = () => collector.spans().filter((span) => span.traceId === traceId)
  const find = (service: string, kind: Span['kind'], name: string) =>
    trace().filter((span) => span.service === service && span.kind === kind && span.name === name)
  const one = async (service: string, kind: Span['kind'], name: string) =>
    (await until(() => find(service, kind, name)[0]))!

  await t.test('HTTP request of the caller → unary call → its server', async () => {
    const client = await one('gateway', 'client', create)
    const http = trace().find((span) => span.spanId === client.parentSpanId)
    deepEqual([http?.service, http?.kind, http?.parentSpanId], ['gateway', 'server', callerSpan])
    equal((await one('tasks', 'server', create)).parentSpanId, client.spanId)
  })

  await t.test('HTTP request of the caller → stream → its server', async () => {
    const client = await one('gateway', 'client', watch)
    const http = trace().find((span) => span.spanId === client.parentSpanId)
    deepEqual([http?.service, http?.kind, http?.parentSpanId], ['gateway', 'server', callerSpan])
    equal((await one('tasks', 'server', watch)).parentSpanId, client.spanId)
  })

  await t.test('both attempts of the worker, the failed one and the next', async () => {
    const attempts = () => find('worker', 'consumer', 'attempt http.request')
    await until(() => attempts().length === 2)
    deepEqual(
      attempts().map(({ attributes }) => attributes['flowforge.attempt']),
      ['1', '2'],
    )
    const { spanId } = await one('tasks', 'server', create)
    deepEqual(
      attempts().map(({ parentSpanId }) => parentSpanId),
      [spanId, spanId],
    )
    const sent = flaky.received.map(({ headers }) => headers.traceparent)
    deepEqual(
      sent,
      attempts().map((attempt) => `00-${traceId}-${attempt.spanId}-01`),
    )
  })
})
