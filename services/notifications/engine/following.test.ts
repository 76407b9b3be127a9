import { deepEqual, equal } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openNotifications } from '../testing/serve.ts'
import { loadFollowing, moveCursor, takeOver } from './following.ts'
import { createSubscription, deleteSubscription, updateSubscription } from './subscriptions.ts'

async function setup(t: TestContext) {
  const { db } = await openNotifications(t)
  return {
    db,
    load: () => loadFollowing(db),
    subscribe: (subscription: string, head: string, paused = false) =>
      createSubscription(
        db,
        { project: 'default', subscription, url: 'https://example.com', states: [], types: [], queues: [], paused },
        head,
      ),
  }
}

test('the first active subscription brings the cursor, the last one takes it away', async (t) => {
  const { db, load, subscribe } = await setup(t)
  const cursor = async () => (await load()).cursor
  equal(await cursor(), null)
  await subscribe('paused', 'a', true)
  equal(await cursor(), null)
  await subscribe('one', 'b')
  equal(await cursor(), 'b')
  await subscribe('two', 'c')
  equal(await cursor(), 'b')
  await deleteSubscription(db, { project: 'default', subscription: 'one' })
  equal(await cursor(), 'b')
  await updateSubscription(db, { project: 'default', subscription: 'two' }, { paused: true })
  equal(await cursor(), null)
  await updateSubscription(db, { project: 'default', subscription: 'two' }, { paused: false }, 'd')
  equal(await cursor(), 'd')
})

test('a stream opened before a subscription cannot move the cursor past its first events', async (t) => {
  const { db, load, subscribe } = await setup(t)
  await subscribe('one', '1')
  const before = await load()
  equal(await moveCursor(db, before.version, '2'), true)
  await subscribe('two', '3')
  equal(await moveCursor(db, before.version, '4'), false)
  const after = await load()
  deepEqual([after.cursor, after.subscriptions.length], ['2', 2])
  equal(await moveCursor(db, after.version, '4'), true)
})

test('a follower that was replaced cannot move the cursor', async (t) => {
  const { db, load, subscribe } = await setup(t)
  await subscribe('one', '1')
  const replaced = await load()
  await takeOver(db)
  equal(await moveCursor(db, replaced.version, '2'), false)
  equal((await load()).cursor, '1')
})

test('a change that fails leaves the follower alone', async (t) => {
  const { load, subscribe } = await setup(t)
  await subscribe('one', '1')
  const before = await load()
  await subscribe('one', '2').catch(() => 'refused')
  equal((await load()).version, before.version)
})
