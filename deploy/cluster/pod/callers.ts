/**
 * Runs in a pod beside the installation: callers that create a task, and the next one as soon as they were answered, each on
 * a connection that stays open. For how much there can be, not for how long one waits.
 *
 * `GET /measure/<milliseconds>` on its port lets them call for that long and answers with what they saw. It uses nothing but
 * Node.js.
 */
import { createServer } from 'node:http'

const [gateway, key, callers] = [process.argv[2]!, process.argv[3]!, Number(process.argv[4])]
const url = `${gateway}/v1/projects/default/tasks`
const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
const body = JSON.stringify({ type: 'echo', payload: { text: 'x'.repeat(400) } })

async function measure(forMs: number): Promise<object> {
  const latencies: number[] = []
  let errors = 0
  const startedAt = performance.now()
  const caller = async () => {
    while (performance.now() - startedAt < forMs) {
      const askedAt = performance.now()
      if (await isCreated()) latencies.push(performance.now() - askedAt)
      else errors += 1
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  const seconds = (performance.now() - startedAt) / 1000
  latencies.sort((one, other) => one - other)
  const at = (share: number) => Math.round((latencies[Math.floor(latencies.length * share)] ?? 0) * 100) / 100
  return { perSecond: Math.round(latencies.length / seconds), p50Ms: at(0.5), p95Ms: at(0.95), errors }
}

async function isCreated(): Promise<boolean> {
  try {
    const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

createServer((request, response) => {
  const forMs = Number(request.url!.split('/').at(-1))
  void measure(forMs).then((seen) => response.end(JSON.stringify(seen)))
}).listen(9400, '127.0.0.1')
