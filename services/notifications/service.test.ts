import { deepEqual, equal, match } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  CreateSubscriptionRequest,
  type Subscription,
  UpdateSubscriptionRequest,
} from '@flowforge/proto/flowforge/notifications/v1/subscription_service.ts'
import { TaskState } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { refused } from '@flowforge/runtime/testing/refused'
import { serveNotifications } from './testing/serve.ts'

const parent = 'projects/default'
const url = 'https://example.com/hook'

async function setup(t: TestContext) {
  const { subscriptions, tasks } = await serveNotifications(t)
  return {
    subscriptions,
    tasks,
    subscribe: (subscriptionId: string, subscription: Partial<Subscription> = {}) =>
      subscriptions.createSubscription(
        CreateSubscriptionRequest.create({ parent, subscriptionId, subscription: { url, ...subscription } }),
      ),
    update: (subscription: Partial<Subscription>, updateMask?: string[]) =>
      subscriptions.updateSubscription(
        UpdateSubscriptionRequest.create({
          subscription: { name: `${parent}/subscriptions/hook`, ...subscription },
          updateMask,
        }),
      ),
  }
}

test('a secret is made if none is given, and shown by the creation alone', async (t) => {
  const { subscriptions, subscribe, update } = await setup(t)
  const created = await subscribe('hook')
  match(created.secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  const { name } = created
  equal(name, 'projects/default/subscriptions/hook')
  const shown = { ...created, secret: '' }
  deepEqual(await subscriptions.getSubscription({ name }), shown)
  const page = await subscriptions.listSubscriptions({ parent, pageSize: 10, pageToken: '' })
  deepEqual(page.subscriptions, [shown])
  deepEqual(await update({ url }), shown)
  const own = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
  equal((await subscribe('own', { secret: own })).secret, own)
})

test('what cannot be delivered to is refused on its field', async (t) => {
  const { subscribe } = await setup(t)
  const urls = [
    '',
    'example.com',
    '/hook',
    'ftp://example.com',
    'https://',
    'http:example.com',
    'https://a b',
    'https://me:pw@example.com',
    `https://example.com/${'x'.repeat(2_048)}`,
  ]
  for (const bad of urls) await refused('INVALID_ARGUMENT', subscribe('hook', { url: bad }), 'subscription.url')
  for (const secret of ['secret', 'whsec_', 'whsec_c2hvcnQ=', 'whsec_***']) {
    await refused('INVALID_ARGUMENT', subscribe('hook', { secret }), 'subscription.secret')
  }
  const states = [TaskState.TASK_STATE_DEAD, TaskState.TASK_STATE_READY]
  await refused('INVALID_ARGUMENT', subscribe('hook', { states }), 'subscription.states[1]')
  await refused('INVALID_ARGUMENT', subscribe('hook', { types: ['a b'] }), 'subscription.types[0]')
  await refused('INVALID_ARGUMENT', subscribe('hook', { queues: ['Mail'] }), 'subscription.queues[0]')
  await refused('INVALID_ARGUMENT', subscribe('Hook'), 'subscription_id')
})

test('a name is taken once, and free again after the deletion', async (t) => {
  const { subscriptions, subscribe } = await setup(t)
  const { name } = await subscribe('hook')
  await refused('ALREADY_EXISTS', subscribe('hook'))
  await subscriptions.deleteSubscription({ name })
  await refused('NOT_FOUND', subscriptions.deleteSubscription({ name }))
  await refused('NOT_FOUND', subscriptions.getSubscription({ name }))
  await refused('NOT_FOUND', subscriptions.listDeliveries({ parent: name, pageSize: 1, pageToken: '' }))
  await subscribe('hook')
})

test('a mask says what changes; the secret never does', async (t) => {
  const { subscribe, update } = await setup(t)
  await subscribe('hook', { queues: ['mail'], states: [TaskState.TASK_STATE_DEAD] })
  const set = await update({ types: ['echo'], paused: true })
  deepEqual([set.types, set.queues, set.paused, set.url], [['echo'], ['mail'], true, url])
  const masked = await update({ url: 'http://127.0.0.1:8080/', queues: ['x'] }, ['url', 'states'])
  deepEqual([masked.url, masked.states, masked.queues], ['http://127.0.0.1:8080/', [], ['mail']])
  equal((await update({}, ['paused'])).paused, false)
  await refused('INVALID_ARGUMENT', update({}, ['url']), 'subscription.url')
  await refused('INVALID_ARGUMENT', update({}, ['secret']), 'update_mask')
  await refused('NOT_FOUND', update({ name: `${parent}/subscriptions/none`, url }))
})

test('lists go on where the page ended, by name', async (t) => {
  const { subscriptions, subscribe } = await setup(t)
  for (const id of ['c', 'a', 'b']) await subscribe(id)
  const first = await subscriptions.listSubscriptions({ parent, pageSize: 2, pageToken: '' })
  const second = await subscriptions.listSubscriptions({ parent, pageSize: 2, pageToken: first.nextPageToken })
  deepEqual(
    [first, second].map((page) => page.subscriptions.map(({ name }) => name.split('/')[3])),
    [['a', 'b'], ['c']],
  )
  equal(second.nextPageToken, '')
  const foreign = { parent: 'projects/other', pageSize: 2, pageToken: first.nextPageToken }
  await refused('INVALID_ARGUMENT', subscriptions.listSubscriptions(foreign), 'page_token')
})

test('without the tasks service nothing is subscribed, and the refusal says to try again', async (t) => {
  const { subscriptions, tasks, subscribe } = await setup(t)
  tasks.refusesStreams = true
  await refused('UNAVAILABLE', subscribe('hook'))
  tasks.refusesStreams = false
  const { subscriptions: none } = await subscriptions.listSubscriptions({ parent, pageSize: 1, pageToken: '' })
  deepEqual(none, [])
  await subscribe('hook')
})

test('a project has room for a hundred subscriptions', async (t) => {
  const { subscribe } = await setup(t)
  await Promise.all(Array.from({ length: 100 }, (_, index) => subscribe(`hook-${index}`)))
  await refused('RESOURCE_EXHAUSTED', subscribe('one-more'))
})
