import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { parseAllowList } from '../outbound/address-rules.ts'
import { createHttpClient } from '../outbound/http-client.ts'
import { startHttpServer, type Answer } from '../testing/http-server.ts'
import { runHandler, uid } from '../testing/run-handler.ts'
import { webhookDeliver } from './webhook-deliver.ts'

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

async function setup(t: TestContext, answer: Answer = (_, response) => void response.writeHead(204).end()) {
  const server = await startHttpServer(t, answer)
  const client = createHttpClient({ allowed: parseAllowList(['127.0.0.1']), requestsPerHost: 4 })
  t.after(() => client.close())
  return { ...server, run: (payload: object) => runHandler(webhookDeliver(client), { url: server.url, ...payload }) }
}

test('body_text arrives byte for byte, signed as Standard Webhooks has it', async (t) => {
  const { run, received } = await setup(t)
  const body_text = ' { "b": 1.0,\n"a": "\\u00fc ü 🦊", "10": 1, "2": 2 } '
  deepEqual(await run({ secret, body_text }), { status: 204 })
  const [{ method, headers, body }] = received as [(typeof received)[0]]
  deepEqual([method, body, headers['webhook-id']], ['POST', Buffer.from(body_text), uid])
  ok(new Webhook(secret).verify(body, headers as Record<string, string>))
})

test('body is sent as JSON, its keys in the order of the payload', async (t) => {
  const { run, received } = await setup(t)
  await run({ body: { z: [1, null, { y: 'x' }], a: true } })
  equal(received[0]?.body.toString(), '{"z":[1,null,{"y":"x"}],"a":true}')
  equal(received[0]?.headers['webhook-signature'], undefined)
})

test('a payload cannot replace the headers of the signature', async (t) => {
  const { run, received } = await setup(t)
  await run({
    secret,
    body: {},
    headers: { 'Webhook-Id': 'forged', 'X-Own': '1', 'Content-Type': 'application/cloudevents+json' },
  })
  const { headers } = received[0]!
  deepEqual(
    [headers['webhook-id'], headers['x-own'], headers['content-type']],
    [uid, '1', 'application/cloudevents+json'],
  )
})

test('410 is permanent, any other refusal is tried again, redirects are not followed', async (t) => {
  for (const [status, name] of [
    [410, 'PermanentError'],
    [400, 'Error'],
    [404, 'Error'],
    [302, 'Error'],
    [500, 'Error'],
  ] as const) {
    await t.test(`${status}`, async (row) => {
      const { run, received } = await setup(
        row,
        (_, response) => void response.writeHead(status, { location: '/elsewhere' }).end(),
      )
      await rejects(run({ body: {} }), { name })
      equal(received.length, 1)
    })
  }
})

test('a payload that cannot be delivered is a permanent failure that does not tell the secret', async (t) => {
  const { run } = await setup(t)
  for (const payload of [
    {},
    { body: 1, body_text: '1' },
    { body: {}, secret: 'whsec_not/base64!' },
    { body_text: 1 },
  ]) {
    const error = await run(payload).then(
      () => ok(false, 'must be refused'),
      (refusal: Error & { reason?: string }) => refusal,
    )
    equal(error?.reason, 'PAYLOAD_INVALID')
    ok(!error?.message.includes('not/base64'))
  }
})
