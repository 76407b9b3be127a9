/** The outside of a gateway for tests of the command: keeps tasks in memory, and counts what it was asked. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

type Answer = [status: number, body: { results?: unknown[]; [field: string]: unknown }]
type Item = { task: { type: unknown; requestId: string } }

export interface TestGateway {
  url: string
  requests: { method: string; path: string; size: number; query: string; body: unknown }[]
  /** Tasks by request ID. */
  tasks: Map<string, Item['task']>
  /** Makes the next request that creates fail with 503 for good. */
  isDown: boolean
}

/** Starts one that refuses `priority` "high" whole, as malformed, and tasks of type `bad` one by one. */
export async function startGateway(t: TestContext): Promise<TestGateway> {
  const gateway: TestGateway = { url: '', requests: [], tasks: new Map(), isDown: false }
  const server = createServer(async (request, response) => {
    const text = (await Array.fromAsync(request)).join('')
    const { pathname: path, search: query } = new URL(request.url ?? '', 'http://x')
    const [status, body] = answer(gateway, path, text)
    const size = body.results?.length ?? 0
    gateway.requests.push({
      method: request.method ?? '',
      path,
      size,
      query,
      body: text ? JSON.parse(text) : undefined,
    })
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  gateway.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return gateway
}

function answer(gateway: TestGateway, path: string, text: string): Answer {
  const refuse = (code: number, status: string, message: string): Answer => [code, { error: { code, status, message } }]
  if (gateway.isDown) return refuse(503, 'UNAVAILABLE', 'down')
  if (text.includes('"high"')) return refuse(400, 'INVALID_ARGUMENT', 'priority: expected a number')
  if (path.endsWith('/tasks/gone')) return refuse(404, 'NOT_FOUND', 'projects/default/tasks/gone was not found')
  if (path.endsWith(':batchCreate'))
    return [200, { results: JSON.parse(text).requests.map((item: Item) => create(gateway, item.task)) }]
  // Of many tasks, a call does three.
  if (path.includes(':bulk')) return [200, { count: '3', complete: gateway.requests.length % 2 === 1 }]
  if (path.endsWith(':backfill')) return [200, { tasks: ['projects/default/tasks/t1'] }]
  if (path.includes('/schedules')) return [200, { name: path.slice(4), cron: '* * * * *', task: { type: 'echo' } }]
  if (path.includes('/queues/')) return [200, { name: path.slice(4) }]
  if (path.endsWith('/tasks') && text) return [200, { ...create(gateway, JSON.parse(text)).task }]
  return [200, { tasks: [...gateway.tasks.values()], queues: [] }]
}

function create(gateway: TestGateway, task: Item['task']) {
  if (task.type === 'bad') return { error: { code: 3, message: 'task.type: no such type' } }
  const name = `projects/default/tasks/${task.requestId}`
  const created = { ...task, name, state: 'TASK_STATE_READY', createTime: '2030-01-31T08:00:00Z', etag: 'e' }
  gateway.tasks.set(task.requestId, created)
  return { task: created }
}
