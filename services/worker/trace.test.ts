import { deepEqual, equal, match } from 'node:assert/strict'
import { after, test } from 'node:test'
import { trace } from '@opentelemetry/api'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { PermanentError, type HandlerContext } from '@flowforge/sdk'
import { Aborter } from '@flowforge/sdk/aborter'
import { runAttempt, type Attempt } from '@flowforge/sdk/run-attempt'

const exporter = new InMemorySpanExporter()
const processor = new SimpleSpanProcessor({ exporter })
const sdk = new NodeSDK({
  spanProcessors: [processor],
  instrumentations: [],
  metricReaders: [],
  logRecordProcessors: [],
})
sdk.start()
after(() => sdk.shutdown())

const traceId = '0af7651916cd43dd8448eb211c80319c'
const creation = `00-${traceId}-b7ad6b7169203331-01`

/** The spans that ended since this was asked last. */
async function spans() {
  await processor.forceFlush()
  const finished = [...exporter.getFinishedSpans()]
  exporter.reset()
  return finished
}

function attempt(handler: (context: HandlerContext) => unknown): Attempt {
  const nothing = () => {}
  const log = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => log }
  const task = Task.fromPartial({ name: 'projects/default/tasks/a', type: 'test' })
  const lease = { task: task.name, attempt: 2, session: 1n }
  return {
    task,
    lease,
    traceparent: creation,
    handler: async (_task, context) => void (await handler(context)),
    aborter: new Aborter(),
    abortGraceMs: 100,
    progress: nothing,
    log,
  }
}

test('an attempt continues the trace in which its task was created', async () => {
  let seen: string | undefined
  await runAttempt(
    attempt(async (context) => {
      await Promise.resolve()
      seen = trace.getActiveSpan()?.spanContext().traceId
      match(context.traceparent, new RegExp(`^00-${traceId}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`))
    }),
  )
  equal(seen, traceId)
  const [span] = await spans()
  deepEqual(
    [span?.name, span?.parentSpanContext?.spanId, span?.attributes['flowforge.attempt']],
    ['attempt test', 'b7ad6b7169203331', 2],
  )
})

test('the span of a failed attempt says so', async () => {
  const { end } = await runAttempt(
    attempt(() => {
      throw new PermanentError('no')
    }),
  )
  equal(end, 'failed')
  equal((await spans())[0]?.status.code, 2)
})
