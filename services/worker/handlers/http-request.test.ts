import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { parseAllowList } from '../outbound/address-rules.ts'
import { createHttpClient } from '../outbound/http-client.ts'
import { startHttpServer, type Answer } from '../testing/http-server.ts'
import { runHandler } from '../testing/run-handler.ts'
import { httpRequest } from './http-request.ts'

interface Result {
  status: number
  headers: Record<string, string>
  body: string
  body_encoding?: string
  truncated?: boolean
}

async function setup(t: TestContext, answer: Answer) {
  const server = await startHttpServer(t, answer)
  const client = createHttpClient({ allowed: parseAllowList(['127.0.0.1']), requestsPerHost: 4 })
  t.after(() => client.close())
  return {
    ...server,
    run: (payload: object) => runHandler(httpRequest(client), { url: server.url, ...payload }) as Promise<Result>,
  }
}

test('the answer becomes the result', async (t) => {
  const { run, received } = await setup(t, (_, response) => response.writeHead(201, { 'x-own': 'yes' }).end('grüße'))
  const { status, headers, body } = await run({ method: 'PUT', headers: { 'X-Custom': 'a' }, body: { n: 1 } })
  deepEqual([status, headers['x-own'], body], [201, 'yes', 'grüße'])
  const [request] = received
  deepEqual(
    [request?.method, request?.headers['x-custom'], request?.headers['content-type'], request?.body.toString()],
    ['PUT', 'a', 'application/json', '{"n":1}'],
  )
})

test('a body that is no text is kept as base64', async (t) => {
  const { run } = await setup(t, (_, response) => void response.end(Buffer.from([0xff, 0x00, 0xfe])))
  const { body, body_encoding } = await run({})
  deepEqual([body, body_encoding], ['/wD+', 'base64'])
})

test('a text that is cut inside a character stays text', async (t) => {
  const { run } = await setup(t, (_, response) => void response.end('x' + 'ü'.repeat(40_000)))
  const { body, truncated } = await run({})
  deepEqual([body.length, truncated], [1 + 32_767, true])
})

test('what a status means for the task', async (t) => {
  const permanent = { name: 'PermanentError' }
  const again = { name: 'Error' }
  const table: [number, object, Record<string, string>?][] = [
    [400, permanent],
    [401, permanent],
    [404, permanent],
    [410, permanent],
    [304, permanent],
    [408, again],
    [425, again],
    [429, again],
    [500, again],
    [502, again],
    [503, again],
    [429, { name: 'RetryLaterError', afterMs: 7_000 }, { 'retry-after': '7' }],
    [503, { name: 'RetryLaterError', afterMs: 3_600_000 }, { 'retry-after': '999999' }],
    [503, { name: 'RetryLaterError', afterMs: 0 }, { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }],
    [503, again, { 'retry-after': 'soon' }],
  ]
  for (const [status, expected, headers = {}] of table) {
    await t.test(`${status} ${JSON.stringify(headers)}`, async (row) => {
      const { run } = await setup(row, (_, response) => void response.writeHead(status, headers).end())
      await rejects(run({}), expected)
    })
  }
})

test('the payload may call other codes a success', async (t) => {
  const { run } = await setup(t, (_, response) => void response.writeHead(404).end())
  equal((await run({ success_codes: [404] })).status, 404)
})

test('a payload that cannot be sent is a permanent failure that names the field', async (t) => {
  const { run, received } = await setup(t, (_, response) => void response.end())
  const table: [object, RegExp][] = [
    [{ url: 7 }, /payload\.url must be a string/],
    [{ method: 'get' }, /payload\.method must be one of/],
    [{ headers: { 'bad name': 'x' } }, /payload\.headers\.bad name/],
    [{ headers: { a: 'x\r\ninjected: 1' } }, /payload\.headers\.a/],
    [{ headers: { Host: 'other' } }, /payload\.headers\.Host/],
    [{ headers: [] }, /payload\.headers/],
    [{ timeout_ms: -1 }, /payload\.timeout_ms/],
    [{ success_codes: 'all' }, /payload\.success_codes/],
  ]
  for (const [payload, message] of table)
    await rejects(run(payload), { name: 'PermanentError', reason: 'PAYLOAD_INVALID', message })
  equal(received.length, 0)
})
