import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { FlowForgeError } from './client-error.ts'
import { Client } from './client.ts'

interface Seen {
  method: string
  url: string
  body: { requestId?: string; payload?: unknown }
  headers: IncomingMessage['headers']
}

type Answer = (response: ServerResponse, seen: Seen) => void

/** A gateway that gives these answers in turn, and remembers what it was asked. */
async function setup(t: TestContext, ...answers: Answer[]) {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const { method = '', url = '', headers } = request
      seen.push({ method, url, headers, body: text ? JSON.parse(text) : undefined })
      const answer = answers[Math.min(seen.length, answers.length) - 1]
      answer?.(response, seen.at(-1) as Seen)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { seen, client: new Client({ url: `http://127.0.0.1:${port}`, apiKey: 'ff_key' }) }
}

function json(status: number, body: unknown, headers = {}): Answer {
  return (response) =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

function refusal(code: number, status: string, details: unknown[] = [], headers = {}): Answer {
  return json(code, { error: { code, status, message: `${status} it is`, details } }, headers)
}

const drop: Answer = (response) => void response.destroy()
const unavailable = refusal(503, 'UNAVAILABLE')
const name = 'projects/default/tasks/t1'
const line = (state: string, etag: string) =>
  `${JSON.stringify({ result: { task: { name, state: `TASK_STATE_${state}`, etag } } })}\n`

test('a task is created at its parent, with the key and a request ID', async (t) => {
  const { client, seen } = await setup(t, json(200, { name }))
  equal((await client.createTask({ type: 'echo', payload: { a: [1, null] } })).name, name)
  equal(`${seen[0]?.method} ${seen[0]?.url}`, 'POST /v1/projects/default/tasks')
  equal(seen[0]?.headers.authorization, 'Bearer ff_key')
  deepEqual(seen[0]?.body.payload, { a: [1, null] })
  match(seen[0]?.body.requestId ?? '', /^[0-9a-f-]{36}$/)
})

test('creating repeats on 503 and broken connections, each time with the same request ID', async (t) => {
  const { client, seen } = await setup(t, unavailable, drop, json(200, { name }))
  await client.createTask({ type: 'echo' })
  equal(seen.length, 3)
  equal(new Set(seen.map(({ body }) => body.requestId)).size, 1)
})

test('repetition ends: the fourth refusal is thrown', async (t) => {
  const { client, seen } = await setup(t, unavailable)
  await rejects(client.getTask('t1'), { status: 'UNAVAILABLE', httpStatus: 503 })
  equal(seen.length, 4)
})

test('a redrive is not repeated when its answer is lost', async (t) => {
  const { client, seen } = await setup(t, drop)
  await rejects(client.retryTask('t1'), { status: 'UNAVAILABLE', httpStatus: undefined })
  equal(seen.length, 1)
})

test('a deletion whose first answer was lost is a deletion', async (t) => {
  const { client, seen } = await setup(t, drop, refusal(404, 'NOT_FOUND'))
  await client.deleteTask('t1')
  equal(seen.length, 2)
})

test('a limited rate is waited out when the server says until when', async (t) => {
  const retry = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '0.010s' }]
  const { client, seen } = await setup(t, refusal(429, 'RESOURCE_EXHAUSTED', retry), json(200, { name }))
  await client.runSchedule('nightly')
  equal(seen.length, 2)
})

test('a refusal tells status, reason, details and when to come back', async (t) => {
  const details = [
    { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'TASK_FINISHED', domain: 'flowforge.dev' },
    { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field: 'name' }] },
  ]
  const { client } = await setup(t, refusal(400, 'FAILED_PRECONDITION', details, { 'retry-after': '3' }))
  const error = await client.cancelTask('t1').catch((error: unknown) => error as FlowForgeError)
  ok(error instanceof FlowForgeError)
  equal(error.status, 'FAILED_PRECONDITION')
  equal(error.httpStatus, 400)
  equal(error.reason, 'TASK_FINISHED')
  equal(error.message, 'FAILED_PRECONDITION it is')
  equal(error.retryAfterMs, 3_000)
  deepEqual(error.detail('google.rpc.BadRequest')?.fieldViolations, [{ field: 'name' }])
})

test('an answer that is not the gateway’s has a status too', async (t) => {
  const { client } = await setup(t, (response) => void response.writeHead(404).end('<h1>nginx</h1>'))
  await rejects(client.getTask('t1'), { status: 'NOT_FOUND', httpStatus: 404 })
})

test('a server that is not there is UNAVAILABLE and named', async () => {
  const client = new Client({ url: 'http://127.0.0.1:1' })
  await rejects(client.getTask('t1'), { status: 'UNAVAILABLE', message: /cannot reach http:\/\/127\.0\.0\.1:1/ })
})

test('a silent server is given up at the timeout', async (t) => {
  const { client } = await setup(t, () => {})
  await rejects(client.getTask('t1', { timeoutMs: 50 }), { status: 'DEADLINE_EXCEEDED' })
})

test('an aborted call throws the reason of its signal', async (t) => {
  const { client } = await setup(t, () => {})
  const reason = new Error('enough')
  await rejects(client.getTask('t1', { signal: AbortSignal.abort(reason) }), reason)
})

test('each result of a batch is a task or an error', async (t) => {
  const { client } = await setup(
    t,
    json(200, { results: [{ task: { name } }, { error: { code: 3, message: 'no type' } }] }),
  )
  const [first, second] = await client.batchCreateTasks([{ type: 'echo' }, { type: '' }])
  equal(first?.task?.name, name)
  equal(second?.error?.status, 'INVALID_ARGUMENT')
})

test('a list goes on over all pages with the same query', async (t) => {
  const { client, seen } = await setup(
    t,
    json(200, { tasks: [{ name: 'a' }, { name: 'b' }], nextPageToken: 'p2' }),
    json(200, { tasks: [{ name: 'c' }] }),
  )
  const names = []
  for await (const task of client.listTasks({ filter: 'state = DEAD', pageSize: 2 })) names.push(task.name)
  deepEqual(names, ['a', 'b', 'c'])
  deepEqual(
    seen.map(({ url }) => new URL(url, 'http://x').searchParams.toString()),
    ['filter=state+%3D+DEAD&pageSize=2', 'filter=state+%3D+DEAD&pageSize=2&pageToken=p2'],
  )
})

test('a watch continues over broken streams from the etag that was seen last', async (t) => {
  const { client, seen } = await setup(
    t,
    (response) => void response.write(line('READY', 'e1'), () => setImmediate(() => response.destroy())),
    unavailable,
    (response) => {
      const bytes = Buffer.from(line('RUNNING', 'e2') + line('SUCCEEDED', 'e3'))
      response.write(bytes.subarray(0, 20), () => setImmediate(() => response.end(bytes.subarray(20))))
    },
  )
  const states = []
  for await (const task of client.watchTask('t1')) states.push(task.state)
  deepEqual(states, ['TASK_STATE_READY', 'TASK_STATE_RUNNING', 'TASK_STATE_SUCCEEDED'])
  deepEqual(
    seen.map(({ url }) => url),
    [`/v1/${name}:watch`, `/v1/${name}:watch?etag=e1`, `/v1/${name}:watch?etag=e1`],
  )
})

test('a watch ends when its task is gone', async (t) => {
  const { client } = await setup(t, (response) => void response.end(line('READY', 'e1')), refusal(404, 'NOT_FOUND'))
  const watch = client.watchTask('t1')
  equal((await watch.next()).value?.etag, 'e1')
  await rejects(watch.next(), { status: 'NOT_FOUND' })
})

test('an error within a stream is thrown as what it is', async (t) => {
  const error = { code: 403, status: 'PERMISSION_DENIED', message: 'no longer' }
  const { client } = await setup(t, (response) => void response.end(`${JSON.stringify({ error })}\n`))
  await rejects(client.watchTask('t1').next(), { status: 'PERMISSION_DENIED' })
})

test('a bulk call names its filter, counts in numbers and is asked again only if that is harmless', async (t) => {
  const { client, seen } = await setup(t, unavailable, json(200, { count: '1500', complete: true }), unavailable)
  deepEqual(await client.bulkCancelTasks('queue = mail', { dryRun: true }), { count: 1500, complete: true })
  equal(`${seen[1]?.method} ${seen[1]?.url}`, 'POST /v1/projects/default/tasks:bulkCancel')
  deepEqual(seen[1]?.body, { filter: 'queue = mail', dryRun: true })
  await rejects(client.bulkRetryTasks('state = DEAD', { ratePerSecond: 5 }), { status: 'UNAVAILABLE' })
  equal(seen.length, 3)
  deepEqual(seen[2]?.body, { filter: 'state = DEAD', ratePerSecond: 5 })
})

test('a queue and a schedule change in what is named and in nothing else', async (t) => {
  const { client, seen } = await setup(t, json(200, {}))
  await client.updateQueue('mail', { concurrency: 5, fairnessWeights: { acme: 2 } })
  equal(seen[0]?.url, '/v1/projects/default/queues/mail?updateMask=concurrency%2CfairnessWeights')
  await client.updateSchedule('nightly', { overlapPolicy: 'OVERLAP_POLICY_SKIP' })
  equal(seen[1]?.url, '/v1/projects/default/schedules/nightly?updateMask=overlapPolicy')
})

test('a backfill answers with the names of the tasks of its stretch', async (t) => {
  const { client, seen } = await setup(t, json(200, { tasks: [name] }), json(200, {}))
  const stretch = { startTime: '2030-01-01T00:00:00Z', endTime: '2030-01-02T00:00:00Z' }
  deepEqual(await client.backfillSchedule('nightly', stretch), [name])
  equal(seen[0]?.url, '/v1/projects/default/schedules/nightly:backfill')
  deepEqual(seen[0]?.body, stretch)
  deepEqual(await client.backfillSchedule('nightly', stretch), [])
})
