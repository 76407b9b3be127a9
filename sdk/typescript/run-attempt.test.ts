import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import type { Outcome } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { Aborter } from './aborter.ts'
import { fromMs } from './duration.ts'
import { PermanentError, reasonOf, RetryLaterError, SnoozeError } from './errors.ts'
import type { Log } from './log.ts'
import { runAttempt, type Attempt, type Handler } from './run-attempt.ts'
import type { JsonObject } from './struct.ts'

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

function attempt(handler: Handler | undefined, more: Partial<Attempt> = {}): Attempt & { reported: JsonObject[] } {
  const reported: JsonObject[] = []
  const task = Task.fromPartial({ name: 'projects/default/tasks/a', type: 'test' })
  return {
    task,
    lease: { task: task.name, attempt: 1, session: 7n },
    traceparent: '',
    handler,
    aborter: new Aborter(),
    abortGraceMs: 50,
    progress: (value) => reported.push(value),
    log: silent,
    reported,
    ...more,
  }
}

async function outcomeOf(one: Attempt): Promise<NonNullable<Outcome['outcome']>> {
  const { outcome } = await runAttempt(one)
  ok(outcome?.outcome)
  deepEqual(outcome.lease, one.lease)
  return outcome.outcome
}

/** A handler that throws. */
function throwing(error: unknown): Handler {
  return () => {
    throw error
  }
}

/** Stops when its signal says so, as a good handler does. */
const obedient: Handler = (_task, { signal }) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))

/** Never stops. */
const deaf: Handler = () => new Promise(() => {})

test('what a handler returns is the result, as JSON would write it', async () => {
  deepEqual(await outcomeOf(attempt(() => ({ sent: true, at: new Date(0), left: undefined }))), {
    $case: 'success',
    value: { result: { sent: true, at: '1970-01-01T00:00:00.000Z' } },
  })
  deepEqual(await outcomeOf(attempt(() => {})), { $case: 'success', value: { result: undefined } })
})

test('what a handler throws decides about the next attempt', async (t) => {
  const table: [string, unknown, { message: string; permanent?: boolean; retryAfterMs?: number; reason: string }][] = [
    ['an error', new Error('no'), { message: 'no', reason: 'HANDLER_FAILED' }],
    ['a string', 'bare', { message: 'bare', reason: 'HANDLER_FAILED' }],
    ['nothing', undefined, { message: 'undefined', reason: 'HANDLER_FAILED' }],
    [
      'a permanent error',
      new PermanentError('gone', { reason: 'GONE' }),
      { message: 'gone', permanent: true, reason: 'GONE' },
    ],
    [
      'retry later',
      new RetryLaterError(1_500, 'busy'),
      { message: 'busy', retryAfterMs: 1_500, reason: 'RETRY_LATER' },
    ],
  ]
  for (const [name, thrown, { message, permanent = false, retryAfterMs, reason }] of table) {
    await t.test(name, async () => {
      const outcome = await outcomeOf(attempt(throwing(thrown)))
      ok(outcome.$case === 'failure')
      const { error, retryAfter } = outcome.value
      deepEqual([error?.message, outcome.value.permanent, reasonOf(error)], [message, permanent, reason])
      deepEqual(retryAfter, retryAfterMs && fromMs(retryAfterMs))
    })
  }
})

test('a snooze gives the task back for later, thrown or returned', async () => {
  const later = { $case: 'release', value: { snooze: fromMs(2_000), cancelled: false } }
  deepEqual(await outcomeOf(attempt(throwing(new SnoozeError(2_000)))), later)
  deepEqual(await outcomeOf(attempt(() => new SnoozeError(2_000))), later)
})

test('a result that cannot be kept is a permanent failure that says where it is wrong', async (t) => {
  const circular: { self?: object } = {}
  circular.self = circular
  const table: [string, object, RegExp, string][] = [
    ['a function', { a: [() => 1] }, /result\.a\[0\] is a function/, 'RESULT_NOT_SERIALIZABLE'],
    ['a bigint', { a: 1n }, /result\.a is a bigint/, 'RESULT_NOT_SERIALIZABLE'],
    ['NaN', { a: { b: Number.NaN } }, /result\.a\.b is NaN/, 'RESULT_NOT_SERIALIZABLE'],
    ['an array', [1], /result must be an object, got an array/, 'RESULT_NOT_SERIALIZABLE'],
    ['a circle', circular, /nested deeper than 30 levels, or is circular/, 'RESULT_NOT_SERIALIZABLE'],
    ['more than a message holds', { a: 'x'.repeat(5_000_000) }, /more than any server takes/, 'RESULT_TOO_LARGE'],
  ]
  for (const [name, result, message, reason] of table) {
    await t.test(name, async () => {
      const outcome = await outcomeOf(attempt(() => result))
      ok(outcome.$case === 'failure')
      match(outcome.value.error?.message ?? '', message)
      deepEqual([outcome.value.permanent, reasonOf(outcome.value.error)], [true, reason])
    })
  }
})

test('an attempt longer than its timeout fails with DEADLINE_EXCEEDED, whether its handler stops or not', async () => {
  const task = Task.fromPartial({ type: 'test', attemptTimeout: fromMs(20) })
  for (const handler of [obedient, deaf]) {
    const outcome = await outcomeOf(attempt(handler, { task }))
    ok(outcome.$case === 'failure')
    deepEqual([outcome.value.error?.code, outcome.value.permanent], [status.DEADLINE_EXCEEDED, false])
  }
})

test('why an attempt was aborted decides what is reported', async (t) => {
  const table = [
    ['cancelled', { end: 'cancelled', value: { snooze: undefined, cancelled: true } }],
    ['draining', { end: 'released', value: { snooze: undefined, cancelled: false } }],
    ['lost', { end: 'lost', value: undefined }],
  ] as const
  for (const [reason, expected] of table) {
    await t.test(reason, async () => {
      for (const handler of [obedient, deaf]) {
        const one = attempt(handler)
        const ended = runAttempt(one)
        one.aborter.abort(reason)
        const { end, outcome } = await ended
        deepEqual({ end, value: outcome?.outcome?.value }, expected)
      }
    })
  }
})

test('a handler that finishes although it was cancelled has succeeded', async () => {
  const one = attempt((_task, { signal }) => {
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve({ done: true })))
  })
  const outcome = outcomeOf(one)
  one.aborter.abort('cancelled')
  deepEqual((await outcome).value, { result: { done: true } })
})

test('a handler that asks for its signal after it was cancelled sees that', async () => {
  const cancelled = Promise.withResolvers<void>()
  const one = attempt(async (_task, context) => {
    await cancelled.promise
    context.signal.throwIfAborted()
  })
  const ended = runAttempt(one)
  one.aborter.abort('cancelled')
  cancelled.resolve()
  equal((await ended).end, 'cancelled')
})

test('a task without a handler fails', async () => {
  equal((await outcomeOf(attempt(undefined))).$case, 'failure')
})

test('progress that cannot be kept is refused to the handler', async () => {
  const one = attempt(async (_task, { progress }) => {
    await rejects(async () => progress({ a: () => 1 }), /progress\.a is a function/)
    await rejects(async () => progress({ a: 'x'.repeat(300_000) }), /progress has 300008 bytes/)
    progress({ step: 1 })
  })
  equal((await runAttempt(one)).end, 'succeeded')
  deepEqual(one.reported, [{ step: 1 }])
})
