import type { Handler } from '@flowforge/sdk'
import { Webhook } from 'standardwebhooks'
import type { HttpClient } from '../outbound/http-client.ts'
import { throwFor } from '../outbound/judge-answer.ts'
import { headers, optionalText, payloadInvalid, text, wholeNumber, type Payload } from '../payload.ts'

const gone = 410

/**
 * `webhook.deliver`: posts an event to a URL, signed as Standard Webhooks has it.
 *
 * Payload: `url`; `secret` (`whsec_…`; unsigned without one); `body_text` or `body`; `headers`; `timeout_ms` (15,000).
 * Whoever reads the task gets it without its `secret`.
 * `body_text` is sent byte for byte (as UTF-8). `body` is any JSON and is sent as JSON.stringify writes it: no blanks, keys
 * in the order in which the payload has them (but whole-number keys first, ascending). The signature covers what is sent.
 *
 * `webhook-id` is the task's uid, so a receiver can tell a repeated delivery; `webhook-timestamp` is each attempt's own.
 * Any 2xx is a success, 410 is permanent, everything else is tried again. Redirects are not followed.
 */
export function webhookDeliver(client: HttpClient): Handler {
  return async (task, { signal, traceparent }) => {
    const payload = task.payload ?? {}
    const body = bodyOf(payload)
    const answer = await client.send({
      url: text(payload, 'url'),
      method: 'POST',
      headers: {
        'user-agent': 'FlowForge',
        'content-type': 'application/json',
        ...(traceparent && { traceparent }),
        ...headers(payload),
        ...webhookHeaders(task.uid, optionalText(payload, 'secret'), body),
      },
      body: Buffer.from(body),
      timeoutMs: wholeNumber(payload, 'timeout_ms', { min: 1, max: 600_000, otherwise: 15_000 }),
      redirectsMax: 0,
      signal,
    })
    if (answer.status < 200 || answer.status > 299) throwFor(answer, (status) => status === gone)
    return { status: answer.status }
  }
}

function bodyOf(payload: Payload): string {
  const bodyText = optionalText(payload, 'body_text')
  if (bodyText !== undefined && payload['body'] !== undefined)
    throw payloadInvalid('body', 'left out when body_text is given')
  if (bodyText === undefined && payload['body'] === undefined) throw payloadInvalid('body_text', 'given, or body')
  return bodyText ?? JSON.stringify(payload['body'])
}

function webhookHeaders(id: string, secret: string | undefined, body: string): Record<string, string> {
  const now = new Date()
  const unsigned = { 'webhook-id': id, 'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)) }
  if (secret === undefined) return unsigned
  return { ...unsigned, 'webhook-signature': signer(secret).sign(id, now, body) }
}

function signer(secret: string): Webhook {
  try {
    return new Webhook(secret)
  } catch {
    // The library's message may quote the secret; ours must not.
    throw payloadInvalid('secret', 'whsec_ and base64')
  }
}
