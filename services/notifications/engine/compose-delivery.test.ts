import { deepEqual, equal, notEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import type { SubscriptionRow } from '../tables.ts'
import { composeDelivery, type EndedTask, isWanted } from './compose-delivery.ts'

const finishTime = new Date('2026-01-02T03:04:05.678Z')

function subscription(changes: Partial<SubscriptionRow> = {}): SubscriptionRow {
  return {
    uid: 'f6b8a1f0-6f0a-4f5a-9c39-0123456789ab',
    project: 'default',
    id: 'hook',
    url: 'https://example.com',
    states: [],
    types: [],
    queues: [],
    secret: 'whsec_x',
    paused: false,
    create_time: finishTime,
    active_since: finishTime,
    ...changes,
  }
}

function ended(changes: Partial<EndedTask> = {}): EndedTask {
  const task = Task.create({ name: 'projects/default/tasks/1', uid: '1', type: 'echo', queue: 'mail' })
  return { ...task, project: 'default', end: 'SUCCEEDED', finishTime, ...changes }
}

const ago = (ms: number) => new Date(finishTime.getTime() - ms)

const wanted: [string, boolean, Partial<SubscriptionRow>, Partial<EndedTask>][] = [
  ['everything, if nothing is said', true, {}, {}],
  ['its states', true, { states: ['DEAD', 'SUCCEEDED'] }, {}],
  ['no other states', false, { states: ['DEAD'] }, {}],
  ['its types', true, { types: ['echo'] }, {}],
  ['no other types', false, { types: ['http.request'] }, {}],
  ['its queues', true, { queues: ['mail'] }, {}],
  ['no other queues', false, { queues: ['default'] }, {}],
  ['no other project', false, { project: 'other' }, {}],
  ['no delivery', false, {}, { labels: { 'flowforge.dev/subscription': '' } }],
  ['what ended around its beginning', true, {}, { finishTime: ago(4_999) }],
  ['nothing that ended long before', false, {}, { finishTime: ago(5_001) }],
]
for (const [claim, expected, asked, task] of wanted) {
  test(`a subscription is told ${claim}`, () => equal(isWanted(subscription(asked), ended(task)), expected))
}

test('the same end composes the same delivery, another end of the task another request ID', () => {
  const one = composeDelivery(subscription(), ended())
  deepEqual(composeDelivery(subscription(), ended()), one)
  const again = composeDelivery(subscription(), ended({ finishTime: new Date(finishTime.getTime() + 1) }))
  notEqual(again.requestId, one.requestId)
})

test('a request ID fits into the 128 characters it may have', () => {
  const { requestId } = composeDelivery(subscription(), ended({ uid: '01890000-0000-7000-8000-000000000000' }))
  equal(requestId.length <= 128, true)
})

test('the body tells how the task ended, without its payload and result', () => {
  const error = { code: 13, message: 'boom', details: [] }
  const { payload } = composeDelivery(
    subscription(),
    ended({ end: 'DEAD', error, payload: { a: 1 }, result: { b: 2 } }),
  )
  deepEqual(payload.body, {
    type: 'task.dead',
    timestamp: '2026-01-02T03:04:05.678Z',
    data: {
      name: 'projects/default/tasks/1',
      uid: '1',
      type: 'echo',
      queue: 'mail',
      state: 'TASK_STATE_DEAD',
      priority: 0,
      labels: {},
      attempts: 0,
      create_time: null,
      start_time: null,
      finish_time: '2026-01-02T03:04:05.678Z',
      error: { code: 13, message: 'boom' },
    },
  })
})
