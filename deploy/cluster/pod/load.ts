/**
 * Runs in a pod beside the installation: creates tasks through the gateway at a steady rate, and at the end looks at every
 * one that was acknowledged. A request that fails is sent again with its request ID, as a client should.
 *
 * `GET /finish` on its port ends the load and answers with the result. It uses nothing but Node.js.
 */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'

const [gateway, key, rate] = [process.argv[2]!, process.argv[3]!, Number(process.argv[4])]
const tasks = `${gateway}/v1/projects/default/tasks`
const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
const settleMs = 90_000

interface Second {
  ok: number
  failed: number
  msMax: number
}

const seconds = new Map<number, Second>()
const failures: { time: string; error: string }[] = []
const acknowledged: string[] = []
let isOver = false
const inFlight = new Set<Promise<void>>()

async function create(): Promise<void> {
  const body = JSON.stringify({ queue: 'load', type: 'echo', payload: { n: acknowledged.length } })
  const requestId = randomUUID()
  for (;;) {
    const startedAt = performance.now()
    try {
      const { name } = await call('POST', `${tasks}?requestId=${requestId}`, body)
      acknowledged.push(name as string)
      return count('ok', performance.now() - startedAt)
    } catch (error) {
      count('failed', performance.now() - startedAt)
      failures.push({ time: new Date().toISOString(), error: describe(error) })
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

function describe(error: unknown): string {
  const { message, cause } = error as Error & { cause?: { code?: string; message?: string } }
  return cause ? `${message}: ${cause.code ?? cause.message}` : message
}

async function call(method: string, url: string, body?: string): Promise<Record<string, unknown>> {
  const init = { method, headers, signal: AbortSignal.timeout(10_000) }
  const response = await fetch(url, body === undefined ? init : { ...init, body })
  const text = await response.text()
  if (response.ok) return JSON.parse(text) as Record<string, unknown>
  throw new Error(`${response.status} ${text.slice(0, 200)}`)
}

function count(outcome: 'ok' | 'failed', ms: number): void {
  const second = Math.floor(Date.now() / 1000)
  const counts = seconds.get(second) ?? { ok: 0, failed: 0, msMax: 0 }
  counts[outcome] += 1
  counts.msMax = Math.max(counts.msMax, Math.round(ms))
  seconds.set(second, counts)
}

const timer = setInterval(() => {
  const one = create().finally(() => inFlight.delete(one))
  inFlight.add(one)
}, 1_000 / rate)

/** What became of a task: the number of attempts that finished it, or undefined while none has. */
async function finishes(name: string): Promise<number | undefined> {
  try {
    const task = await call('GET', `${gateway}/v1/${name}`)
    if (task.state !== 'TASK_STATE_SUCCEEDED') return undefined
    const attempts = task.attempts as { outcome?: string }[]
    return attempts.filter(({ outcome }) => outcome === 'ATTEMPT_OUTCOME_SUCCEEDED').length
  } catch {
    return undefined
  }
}

async function finish(): Promise<object> {
  isOver = true
  clearInterval(timer)
  await Promise.all(inFlight)
  const open = new Set(acknowledged)
  const doubled: string[] = []
  const giveUpAt = performance.now() + settleMs
  while (open.size > 0 && performance.now() < giveUpAt) {
    const waiting = [...open]
    const look = async () => {
      for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
        const times = await finishes(name)
        if (times === undefined) continue
        open.delete(name)
        if (times !== 1) doubled.push(name)
      }
    }
    await Promise.all(Array.from({ length: 8 }, look))
    if (open.size > 0) await new Promise((resolve) => setTimeout(resolve, 500))
  }
  const timeline = [...seconds].map(([second, counts]) => ({ second, ...counts }))
  const repeated = acknowledged.length - new Set(acknowledged).size
  return { acknowledged: acknowledged.length, failures, lost: [...open], doubled, repeated, timeline }
}

createServer((_request, response) => {
  if (isOver) return response.writeHead(409).end()
  void finish().then((result) => response.end(JSON.stringify(result)))
}).listen(9400, '127.0.0.1')
