/** Whoever follows a task over HTTP goes on where the gateway was killed, and sees nothing twice and the end. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { startTestSystem } from './testing/test-system.ts'

const { url, apiKey, client, kill } = await startTestSystem()

interface Change {
  id: string
  task: { etag: string; state: string; attempts?: { number: number }[] }
}

/** Follows a task from an event on, until it has finished or the connection breaks; false if it broke. */
async function follow(name: string, lastId: string, onChange: (change: Change) => void): Promise<boolean> {
  const headers = { authorization: `Bearer ${apiKey}`, accept: 'text/event-stream', 'last-event-id': lastId }
  let text = ''
  try {
    const answer = await fetch(`${url}/v1/${name}:watch`, { headers })
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) {
        if (block === 'event: end\ndata: {}') return true
        const [, id, data] = /^id: (.*)\ndata: (.*)$/.exec(block) ?? []
        if (id !== undefined) onChange({ id, ...JSON.parse(data!) })
      }
    }
  } catch {
    // Nobody listens yet, or the connection broke: the same to whoever follows.
  }
  return false
}

test('a SIGKILL of the gateway between the changes of a task hides none of its attempts from who follows it', async () => {
  const payload = { sleep_ms: 150, fail: 'not yet' }
  const retryPolicy = { maxAttempts: 8, minBackoff: '0.2s', maxBackoff: '0.2s' }
  const { name } = await client.createTask({ type: 'echo', payload, retryPolicy })
  const changes: Change[] = []
  let connections = 1
  const onChange = (change: Change): void => {
    changes.push(change)
    if (changes.length === 3) kill('gateway')
  }
  while (!(await follow(name, changes.at(-1)?.id ?? '', onChange))) connections++
  ok(connections > 1)
  const ids = changes.map(({ id }) => Number(id))
  deepEqual(
    ids,
    [...new Set(ids)].sort((a, b) => a - b),
  )
  deepEqual(
    changes.map(({ id }) => id),
    changes.map(({ task }) => task.etag),
  )
  const last = changes.at(-1)!.task
  equal(last.state, 'TASK_STATE_DEAD')
  deepEqual(
    last.attempts?.map(({ number }) => number),
    [1, 2, 3, 4, 5, 6, 7, 8],
  )
})
