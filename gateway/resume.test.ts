/** Whoever follows a task by server-sent events goes on where a connection broke, at whichever gateway. */
import { deepEqual, equal } from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { unavailable } from '@flowforge/runtime/status'
import { until } from '@flowforge/runtime/testing/poll'
import { readEvents } from './testing/read-events.ts'
import { startBehind, type Behind } from './testing/setup.ts'

const name = 'projects/a/tasks/1'

/** Two gateways before a task that has changed `changes.count` times, and finishes with the thirtieth. */
async function setup(t: TestContext) {
  const gateways = await Promise.all([startBehind(t), startBehind(t)])
  const changes = Object.assign(new EventEmitter(), { count: 0, failsAt: 0 })
  for (const { handlers } of gateways) {
    handlers['watchTask'] = async ({ etag }: { etag: string }, { signal }, send) => {
      for (let revision = Number(etag) + 1; revision <= 30; revision++) {
        while (revision > changes.count) await once(changes, 'more', { signal })
        if (revision === changes.failsAt) throw unavailable('DRAINING', 'this instance stops')
        await send({ task: { name, etag: String(revision), labels: { revision: String(revision) } } })
      }
    }
  }
  return {
    one: gateways[0],
    other: gateways[1],
    changes,
    change(count: number) {
      changes.count += count
      changes.emit('more')
    },
  }
}

/**
 * Follows the task from the last event in `seen`, to which it adds what comes; answers with how it ended. After
 * `eventsMax` events it cuts the connection, by reading no more.
 */
async function follow({ url }: Behind, seen: string[], eventsMax = Number.POSITIVE_INFINITY): Promise<string> {
  const headers = { authorization: 'Bearer viewer', accept: 'text/event-stream' }
  const lastId = seen.at(-1)
  const answer = await fetch(`${url}/v1/${name}:watch`, {
    headers: { ...headers, ...(lastId !== undefined && { 'last-event-id': lastId }) },
  })
  equal(answer.status, 200)
  const cutAt = seen.length + eventsMax
  for await (const { id, event, data } of readEvents(answer)) {
    if (event !== 'message') return event
    equal((data as { task: { labels: { revision: string } } }).task.labels.revision, id)
    seen.push(id!)
    if (seen.length === cutAt) break
  }
  return 'cut'
}

test('a follower whose connection breaks, whose service fails and whose gateway stops sees each change once', async (t) => {
  const { one, other, changes, change } = await setup(t)
  const seen: string[] = []
  // More has been sent than the follower got to read.
  change(12)
  equal(await follow(one, seen, 5), 'cut')
  changes.failsAt = 10
  equal(await follow(one, seen), 'error')
  changes.failsAt = 0
  const stopping = follow(one, seen)
  change(3)
  // Before its first event, a stream that a stopping gateway ends is answered with 503.
  await until(() => seen.length > 9)
  await one.gateway.stop(1_000)
  equal(await stopping, 'error')
  const last = follow(other, seen)
  change(15)
  equal(await last, 'end')
  deepEqual(
    seen,
    Array.from({ length: 30 }, (_, index) => String(index + 1)),
  )
})
