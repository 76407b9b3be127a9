import { deepEqual, equal, match } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  CreateSubscriptionRequest,
  type Subscription,
  UpdateSubscriptionRequest,
} from '@flowforge/proto/flowforge/notifications/v1/subscription_service.ts'
import type { CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { TaskState } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { until } from '@flowforge/runtime/testing/poll'
import pg from 'pg'
import { serveNotifications } from '../testing/serve.ts'

const url = 'https://example.com/hook'

async function setup(t: TestContext) {
  const served = await serveNotifications(t)
  const { subscriptions, tasks } = served
  return {
    ...served,
    subscribe: (subscriptionId: string, subscription: Partial<Subscription> = {}, parent = 'projects/default') =>
      subscriptions.createSubscription(
        CreateSubscriptionRequest.create({ parent, subscriptionId, subscription: { url, ...subscription } }),
      ),
    pause: (name: string, paused: boolean) =>
      subscriptions.updateSubscription(
        UpdateSubscriptionRequest.create({ subscription: { name, paused }, updateMask: ['paused'] }),
      ),
    /** The uids of the tasks that were told, with the subscription that told each. */
    told: () =>
      [...tasks.created.values()].map(({ task }) => [
        task!.labels['flowforge.dev/subscription'],
        task!.payload!.body.data.uid,
      ]),
    count: (n: number) => until(() => tasks.created.size === n),
    deliveries: async (parent: string) =>
      (await subscriptions.listDeliveries({ parent, pageSize: 100, pageToken: '' })).deliveries,
  }
}

test('a task that ends after a subscription was created is handed over as a signed webhook', async (t) => {
  const { tasks, startFollower, subscribe, count, deliveries } = await setup(t)
  startFollower()
  tasks.end()
  const subscription = await subscribe('hook')
  const task = tasks.end({ labels: { team: 'mail' }, state: TaskState.TASK_STATE_DEAD })
  await count(1)
  const [{ task: delivery, requestId }] = [...tasks.created.values()] as [CreateTaskRequest]
  equal(delivery!.type, 'webhook.deliver')
  equal(delivery!.queue, 'notifications')
  deepEqual(delivery!.labels, { 'flowforge.dev/subscription': 'hook' })
  match(requestId, new RegExp(`^notify-[0-9a-f-]{36}-${task.uid}-`))
  const { body, ...address } = delivery!.payload!
  deepEqual(address, { url, secret: subscription.secret })
  equal(body.type, 'task.dead')
  equal(body.timestamp, task.finishTime!.toISOString())
  deepEqual([body.data.name, body.data.state, body.data.labels], [task.name, 'TASK_STATE_DEAD', { team: 'mail' }])
  const listed = await until(async () => (await deliveries(subscription.name))[0])
  deepEqual(
    [listed.task, listed.state, listed.deliveryTask],
    [task.name, TaskState.TASK_STATE_DEAD, 'projects/default/tasks/delivery-0'],
  )
})

test('what ends while nobody follows is told by the next follower', async (t) => {
  const { tasks, startFollower, subscribe, count } = await setup(t)
  await subscribe('hook')
  tasks.end()
  tasks.end()
  startFollower()
  await count(2)
})

test('each subscription is told what it asked for, and no delivery is told about', async (t) => {
  const { tasks, startFollower, subscribe, told, count } = await setup(t)
  startFollower()
  await subscribe('dead', { states: [TaskState.TASK_STATE_DEAD] })
  await subscribe('mail', { types: ['email.send'], queues: ['mail'] })
  await subscribe('other', {}, 'projects/other')
  tasks.end({ labels: { 'flowforge.dev/subscription': 'dead' }, state: TaskState.TASK_STATE_DEAD })
  tasks.end({ type: 'email.send' })
  const dead = tasks.end({ state: TaskState.TASK_STATE_DEAD })
  const mail = tasks.end({ type: 'email.send', queue: 'mail' })
  const other = tasks.end({ name: 'projects/other/tasks/x' })
  await count(3)
  deepEqual(
    new Map(told() as [string, string][]),
    new Map([
      ['dead', dead.uid],
      ['mail', mail.uid],
      ['other', other.uid],
    ]),
  )
})

test('no stream is open without an active subscription', async (t) => {
  const { tasks, startFollower, subscribe, subscriptions, pause } = await setup(t)
  startFollower()
  const { name } = await subscribe('hook')
  await until(() => tasks.streams.size === 1)
  await pause(name, true)
  await until(() => tasks.streams.size === 0)
  await pause(name, false)
  await until(() => tasks.streams.size === 1)
  await subscribe('elsewhere', {}, 'projects/other')
  await until(() => tasks.streams.size === 1 && [...tasks.streams][0]!.join() === 'projects/default,projects/other')
  await subscriptions.deleteSubscription({ name })
  await subscriptions.deleteSubscription({ name: 'projects/other/subscriptions/elsewhere' })
  await until(() => tasks.streams.size === 0)
})

test('what ends during a pause stays untold', async (t) => {
  const { clone, tasks, startFollower, subscribe, pause, told, count } = await setup(t)
  startFollower()
  const { name } = await subscribe('hook')
  await subscribe('witness')
  await pause(name, true)
  tasks.end()
  await count(1)
  await clone.setClock(60_000)
  await pause(name, false)
  tasks.end({ finishTime: new Date(Date.now() + 60_000) })
  await count(3)
  equal(told().filter(([id]) => id === 'hook').length, 1)
})

for (const failure of ['call', 'item'] as const) {
  test(`a hand-over that fails for now (${failure}) is repeated until it succeeds`, async (t) => {
    const { tasks, startFollower, subscribe, count, deliveries } = await setup(t)
    const { name } = await subscribe('hook')
    tasks.failure = failure
    startFollower()
    tasks.end()
    await until(() => tasks.refusals > 1)
    tasks.failure = 'none'
    await count(1)
    await until(async () => (await deliveries(name)).length === 1)
  })
}

test('a delivery that is refused for good does not hold up the next', async (t) => {
  const { db, tasks, startFollower, subscribe, count } = await setup(t)
  await subscribe('hook')
  tasks.failure = 'item for good'
  startFollower()
  tasks.end()
  await until(async () => {
    const { cursor } = await db.selectFrom('notifications.follower').select('cursor').executeTakeFirstOrThrow()
    return cursor === '1'
  })
  tasks.failure = 'none'
  tasks.end()
  await count(1)
})

test('a task that is redriven and ends again is told again', async (t) => {
  const { tasks, startFollower, subscribe, count, deliveries } = await setup(t)
  startFollower()
  const { name } = await subscribe('hook')
  const { finishTime, ...task } = tasks.end({ state: TaskState.TASK_STATE_DEAD })
  tasks.end({ ...task, state: TaskState.TASK_STATE_SUCCEEDED, finishTime: new Date(finishTime!.getTime() + 1) })
  await count(2)
  await until(async () => (await deliveries(name)).length === 2)
  const states = (await deliveries(name)).map(({ state }) => state)
  deepEqual(states, [TaskState.TASK_STATE_SUCCEEDED, TaskState.TASK_STATE_DEAD])
})

test('one instance follows, and another takes over when its connection is lost', async (t) => {
  const { clone, tasks, startFollower, subscribe, count } = await setup(t)
  await subscribe('hook')
  startFollower()
  startFollower()
  await until(() => tasks.streams.size === 1)
  tasks.end()
  await count(1)
  equal(tasks.streams.size, 1)
  const [first] = tasks.streams
  const admin = new pg.Client({ connectionString: clone.adminUrl })
  await admin.connect()
  t.after(() => admin.end())
  const { rowCount } = await admin.query(
    `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
     and database = (select oid from pg_database where datname = current_database())`,
  )
  equal(rowCount, 1)
  await until(() => tasks.streams.size === 1 && !tasks.streams.has(first!))
  tasks.end()
  await count(2)
})

test('a follower that stops leaves the rest to the next one', async (t) => {
  const { tasks, startFollower, subscribe, count } = await setup(t)
  await subscribe('hook')
  const stop = startFollower()
  tasks.end()
  await count(1)
  await stop()
  await until(() => tasks.streams.size === 0)
  tasks.end()
  startFollower()
  await count(2)
})

test('a cursor that the tasks service no longer knows does not stop the following', async (t) => {
  const { tasks, startFollower, subscribe, count } = await setup(t)
  await subscribe('hook')
  tasks.refusesCursors = true
  startFollower()
  await until(() => tasks.streams.size === 1)
  tasks.end()
  await count(1)
})
