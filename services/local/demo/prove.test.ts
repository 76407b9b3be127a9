import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import type { AttemptOutcome, TaskResource } from '@flowforge/sdk/client-resources'
import { measure } from './measure.ts'
import type { Delivery } from './messages.ts'
import { acceptedTwice, prove, type Evidence } from './prove.ts'

/** A run of one task that went as these say; by default one delivery that was accepted. */
function evidence({
  outcomes = ['SUCCEEDED'],
  statuses = [204],
  task = {},
  delivery = {},
  wasWorkerKilled = false,
}: {
  outcomes?: string[]
  statuses?: number[]
  task?: Partial<TaskResource>
  delivery?: Partial<Delivery>
  wasWorkerKilled?: boolean
} = {}): Evidence {
  const name = 'projects/default/tasks/t0'
  const attempts = outcomes.map((outcome, index) => ({
    number: index + 1,
    startTime: new Date(1_000 * index).toISOString(),
    outcome: `ATTEMPT_OUTCOME_${outcome}` as AttemptOutcome,
  }))
  const delivered = statuses.map((status, index) => ({
    index: 0,
    webhookId: 'w',
    sha256: 'h',
    isVerified: true,
    status,
    timeMs: 1_000 * index + 10,
    ...delivery,
  }))
  return {
    submissions: [{ index: 0, sample: { event: 'push', body: '{}', sha256: 'h' }, name, timeMs: 0, createMs: 5 }],
    tasks: [
      {
        name,
        uid: 't0',
        type: 'webhook.deliver',
        state: 'TASK_STATE_SUCCEEDED',
        createTime: '',
        finishTime: 'then',
        etag: '',
        attempts,
        ...task,
      },
    ],
    deliveries: delivered,
    wasWorkerKilled,
  }
}

function refuted(found: Evidence): string[] {
  return prove(found)
    .filter(({ violations }) => violations.length > 0)
    .map(({ claim }) => claim)
}

test('a task that was delivered, also after a failure, is proved', () => {
  deepEqual(refuted(evidence()), [])
  deepEqual(refuted(evidence({ outcomes: ['FAILED', 'SUCCEEDED'], statuses: [500, 204] })), [])
})

for (const [fault, found, claim] of [
  ['a lost task', { ...evidence(), tasks: [] }, 'each submission is one task, and there is no other'],
  ['a dead task', evidence({ task: { state: 'TASK_STATE_DEAD' } }), 'each task finished, as SUCCEEDED'],
  [
    'two successes',
    evidence({ outcomes: ['SUCCEEDED', 'SUCCEEDED'], statuses: [204, 204] }),
    'each task has exactly one attempt that succeeded, its last',
  ],
  ['a changed payload', evidence({ delivery: { sha256: 'other' } }), 'each payload arrived byte for byte, by SHA-256'],
  [
    'a forged delivery',
    evidence({ delivery: { isVerified: false } }),
    'each delivery carries a valid Standard Webhooks signature, and one webhook-id per task',
  ],
  ['an attempt that the API hides', evidence({ statuses: [500, 204] }), 'the API’s attempts are what the receiver saw'],
  [
    'a delivery twice',
    evidence({ outcomes: ['FAILED', 'SUCCEEDED'], statuses: [204, 204] }),
    'each delivery was accepted exactly once',
  ],
] satisfies [string, Evidence, string][]) {
  test(`${fault} refutes the proof`, () => equal(refuted(found).includes(claim), true))
}

test('a delivery may be repeated only by the attempt after a lost one, and is listed', () => {
  const repeated = evidence({ outcomes: ['LOST', 'SUCCEEDED'], statuses: [204, 204], wasWorkerKilled: true })
  deepEqual(refuted(repeated), [])
  equal(acceptedTwice(repeated).length, 1)
  deepEqual(measure(repeated, 250).recovery, { interrupted: 1, firstMs: 750, lastMs: 750 })
  equal(refuted(evidence({ outcomes: ['FAILED', 'SUCCEEDED'], statuses: [204, 204], wasWorkerKilled: true })).length, 1)
})
