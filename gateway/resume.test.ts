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

/** Follows the task for so many events at most, and cuts the connection by reading no more; answers with what came. */
async function follow({ url }: Behind, lastId: string | undefined, eventsMax = Number.POSITIVE_INFINITY) {
  const headers = { authorization: 'Bearer viewer', accept: 'text/event-stream' }
  const answer = await fetch(`${url}/v1/${name}:watch`, {
    headers: { ...headers, ...(lastId !== undefined && { 'last-event-id': lastId }) },
  })
  equal(answer.status, 200)
  const ids: string[] = []
  for await (const { id, event, data } of readEvents(answer)) {
    if (event !== 'message') return { ids, end: event }
    ids.push(id!)
    equal((data as { task: { labels: { revision: string } } }).task.labels.revision, id)
    if (ids.length === eventsMax) break
  }
  return { ids, end: 'cut' }
}

test('a follower whose connection breaks, whose service fails and whose gateway stops sees each change once', async (t) => {
  const { one, other, changes, change } = await setup(t)
  const seen: string[] = []
  const ends: string[] = []
  const goOn = async (gateway: Behind, eventsMax?: number): Promise<void> => {
    const { ids, end } = await follow(gateway, seen.at(-1), eventsMax)
    seen.push(...ids)
    ends.push(end)
  }
  // More has been sent than the follower got to read.
  change(12)
  await goOn(one, 5)
  changes.failsAt = 10
  await goOn(one)
  changes.failsAt = 0
  const stopping = goOn(one)
  change(3)
  await until(() => one.calls.length === 3)
  await one.gateway.stop(1_000)
  await stopping
  const last = goOn(other)
  change(15)
  await last
  deepEqual(ends, ['cut', 'error', 'error', 'end'])
  deepEqual(
    seen,
    Array.from({ length: 30 }, (_, index) => String(index + 1)),
  )
})
