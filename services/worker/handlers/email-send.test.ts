import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { SMTPServer } from 'smtp-server'
import { runHandler, uid } from '../testing/run-handler.ts'
import { emailSend } from './email-send.ts'

const mail = {
  from: 'a@example.com',
  to: 'b@example.com',
  cc: ['c@example.com'],
  subject: 'Grüße',
  text: 'Hello',
  html: '<b>Hello</b>',
}

/** An SMTP server that refuses recipients with a code, or takes what comes. */
async function setup(t: TestContext, refuseWith?: number) {
  const received: { recipients: string[]; source: string }[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onRcptTo(_address, _session, callback) {
      callback(refuseWith === undefined ? null : Object.assign(new Error('refused'), { responseCode: refuseWith }))
    },
    onData(stream, session, callback) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        received.push({
          recipients: session.envelope.rcptTo.map(({ address }) => address),
          source: Buffer.concat(chunks).toString(),
        })
        callback()
      })
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const { handler, close } = emailSend(`smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`)
  t.after(() => {
    close()
    server.close()
  })
  return { received, run: (payload: object) => runHandler(handler, payload) }
}

test('a mail arrives with both its texts and a Message-ID that is the same on each attempt', async (t) => {
  const { run, received } = await setup(t)
  const result = await run(mail)
  deepEqual(result, { message_id: `<${uid}@flowforge>`, accepted: ['b@example.com', 'c@example.com'], rejected: [] })
  const [{ recipients, source }] = received as [(typeof received)[0]]
  deepEqual(recipients, ['b@example.com', 'c@example.com'])
  for (const part of ['Hello', '<b>Hello</b>', `Message-ID: <${uid}@flowforge>`]) ok(source.includes(part), part)
})

test('a 5xx reply is permanent, a 4xx reply is tried again', async (t) => {
  const never = await setup(t, 550)
  await rejects(never.run(mail), { name: 'PermanentError', reason: 'SMTP_REFUSED' })
  const later = await setup(t, 451)
  await rejects(later.run(mail), { name: 'Error', responseCode: 451 })
})

test('without an SMTP server the failure says what to set', async () => {
  await rejects(runHandler(emailSend(undefined).handler, mail), (error: Error) => {
    match(error.message, /FLOWFORGE_SMTP_URL/)
    equal(error.name, 'PermanentError')
    return true
  })
})

test('a payload cannot make the worker read files or URLs', async (t) => {
  const { run, received } = await setup(t)
  await rejects(run({ ...mail, text: { path: '/etc/hostname' } }), { reason: 'PAYLOAD_INVALID' })
  await rejects(run({ ...mail, to: [{ href: 'http://127.0.0.1' }] }), { reason: 'PAYLOAD_INVALID' })
  await rejects(run({ ...mail, to: [], cc: [] }), { reason: 'PAYLOAD_INVALID' })
  equal(received.length, 0)
})
