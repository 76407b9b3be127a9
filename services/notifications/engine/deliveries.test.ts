import { deepEqual, equal } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openNotifications } from '../testing/serve.ts'
import { listDeliveries, type NewDelivery, pruneDeliveries, recordDeliveries } from './deliveries.ts'
import { createSubscription, deleteSubscription } from './subscriptions.ts'

const key = { project: 'default', subscription: 'hook' }

async function setup(t: TestContext) {
  const { db, clone } = await openNotifications(t)
  const subscribe = () =>
    createSubscription(
      db,
      { ...key, url: 'https://example.com', states: [], types: [], queues: [], paused: false },
      '0',
    )
  const { uid } = await subscribe()
  const delivery = (number: number): NewDelivery => ({
    subscription: uid,
    task: `projects/default/tasks/${number}`,
    state: 'DEAD',
    finishTime: new Date(1_000),
    deliveryTask: `projects/default/tasks/delivery-${number}`,
  })
  const listed = async () => (await listDeliveries(db, key, { size: 100 })).rows.map(({ task }) => task.split('/')[3])
  return { db, clone, subscribe, delivery, listed }
}

test('deliveries are listed newest first, each once', async (t) => {
  const { db, delivery, listed } = await setup(t)
  await recordDeliveries(db, [delivery(1), delivery(2)])
  await recordDeliveries(db, [delivery(2), delivery(3)])
  deepEqual(await listed(), ['3', '2', '1'])
  const page = await listDeliveries(db, key, { size: 2 })
  const rest = await listDeliveries(db, key, { size: 2, after: page.next })
  deepEqual([page.rows.length, rest.rows.length, rest.next], [2, 1, undefined])
})

test('a delivery of a subscription that is gone is passed over, and a new one of that name has none', async (t) => {
  const { db, delivery, listed, subscribe } = await setup(t)
  await recordDeliveries(db, [delivery(1)])
  await deleteSubscription(db, key)
  await recordDeliveries(db, [delivery(2)])
  await subscribe()
  deepEqual(await listed(), [])
})

test('old deliveries are forgotten, some at a time', async (t) => {
  const { db, clone, delivery, listed } = await setup(t)
  await recordDeliveries(db, [delivery(1), delivery(2), delivery(3)])
  await clone.setClock(60_000)
  await recordDeliveries(db, [delivery(4)])
  equal(await pruneDeliveries(db, 30_000, 2), 2)
  equal(await pruneDeliveries(db, 30_000, 2), 1)
  equal(await pruneDeliveries(db, 30_000, 2), 0)
  deepEqual(await listed(), ['4'])
})
