import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Finding } from './refused-calls.ts'

const succeedsWithinMs = 30_000

/** Creates an `echo` task as a user does, and waits for it. */
export async function taskSucceeds(gateway: string, keyFile: string): Promise<Finding> {
  const headers = {
    authorization: `Bearer ${readFileSync(keyFile, 'utf8').trim()}`,
    'content-type': 'application/json',
  }
  const call = async (url: string, body?: string): Promise<{ name: string; state: string }> => {
    const init = body === undefined ? { headers } : { method: 'POST', headers, body }
    const response = await fetch(`${gateway}/v1/${url}`, { ...init, signal: AbortSignal.timeout(10_000) })
    if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`)
    return (await response.json()) as { name: string; state: string }
  }
  const startedAt = performance.now()
  const task = JSON.stringify({ queue: 'default', type: 'echo', payload: { hello: 'world' } })
  const { name } = await call('projects/default/tasks', task)
  for (;;) {
    const { state } = await call(name)
    const ms = Math.round(performance.now() - startedAt)
    if (state === 'TASK_STATE_SUCCEEDED') return { claim: `${name} succeeded after ${ms} ms`, isRight: true }
    if (ms > succeedsWithinMs) return { claim: `${name} succeeds; after ${ms} ms it is ${state}`, isRight: false }
    await delay(100)
  }
}
