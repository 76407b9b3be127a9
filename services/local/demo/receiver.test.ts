import { deepEqual, equal } from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { readSamples } from './samples.ts'
import { startReceiver } from './start-receiver.ts'

test('the samples are the 329 payloads that GitHub publishes', () => {
  const samples = readSamples()
  equal(samples.length, 329)
  equal(Math.max(...samples.map(({ body }) => Buffer.byteLength(body))) > 26_000, true)
})

test('the receiver accepts what is signed, refuses the rest, and reports both', async (t) => {
  const secret = `whsec_${randomBytes(24).toString('base64')}`
  const receiver = await startReceiver('127.0.0.1', secret, 0)
  t.after(() => receiver.stop())
  const body = '{"a": "ä"}'
  const post = async (index: number, signer: Webhook) => {
    const time = new Date()
    const headers = {
      'webhook-id': `w${index}`,
      'webhook-timestamp': String(Math.floor(time.getTime() / 1_000)),
      'webhook-signature': signer.sign(`w${index}`, time, body),
    }
    return (await fetch(`http://127.0.0.1:${receiver.port}/webhooks/${index}`, { method: 'POST', headers, body }))
      .status
  }
  const statuses = []
  for (let index = 0; index < 40; index++) statuses.push(await post(index, new Webhook(secret)))
  const failed = statuses.flatMap((status, index) => (status === 500 ? [index] : []))
  equal(failed.length > 0 && failed.length < 10, true)
  equal(await post(failed[0]!, new Webhook(secret)), 204)
  equal(await post(0, new Webhook(`whsec_${randomBytes(24).toString('base64')}`)), 401)
  const deliveries = await receiver.deliveries()
  equal(deliveries.length, 42)
  deepEqual(new Set(deliveries.map(({ sha256 }) => sha256)), new Set([createHash('sha256').update(body).digest('hex')]))
})
