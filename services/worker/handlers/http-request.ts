import { isUtf8 } from 'node:buffer'
import type { Handler } from '@flowforge/sdk'
import type { HttpAnswer, HttpClient } from '../outbound/http-client.ts'
import { isRequestError, throwFor } from '../outbound/judge-answer.ts'
import { headers, payloadInvalid, text, wholeNumber, type Payload } from '../payload.ts'

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const redirectsMax = 5
const answerHeadersMax = 64
const answerHeaderBytesMax = 8 * 1024

/**
 * `http.request`: sends a request and keeps the answer.
 *
 * Payload: `url`; `method` (GET); `headers`; `body` (a string is sent as it is, anything else as JSON);
 * `timeout_ms` (30,000); `success_codes` (200 to 299); `redirects` (5). Result: `status`, `headers`, `body` (at most 64 KiB, with
 * `body_encoding: base64` when it is no text) and `truncated`.
 */
export function httpRequest(client: HttpClient): Handler {
  return async (task, { signal, traceparent }) => {
    const payload = task.payload ?? {}
    const { body, type } = bodyOf(payload)
    const isSuccess = successOf(payload)
    const answer = await client.send({
      url: text(payload, 'url'),
      method: methodOf(payload),
      headers: {
        'user-agent': 'FlowForge',
        ...(traceparent && { traceparent }),
        ...(type && { 'content-type': type }),
        ...headers(payload),
      },
      body,
      timeoutMs: wholeNumber(payload, 'timeout_ms', { min: 1, max: 3_600_000, otherwise: 30_000 }),
      redirectsMax: wholeNumber(payload, 'redirects', { min: 0, max: redirectsMax, otherwise: redirectsMax }),
      signal,
    })
    if (!isSuccess(answer.status)) throwFor(answer, isRequestError)
    return resultOf(answer)
  }
}

function methodOf(payload: Payload): string {
  const method = payload['method'] ?? 'GET'
  if (typeof method !== 'string' || !methods.includes(method))
    throw payloadInvalid('method', `one of ${methods.join(', ')}`)
  return method
}

function bodyOf({ body }: Payload): { body?: Buffer; type?: string } {
  if (body === undefined || body === null) return {}
  if (typeof body === 'string') return { body: Buffer.from(body), type: 'text/plain; charset=utf-8' }
  return { body: Buffer.from(JSON.stringify(body)), type: 'application/json' }
}

function successOf({ success_codes: codes }: Payload): (status: number) => boolean {
  if (codes === undefined || codes === null) return (status) => status >= 200 && status < 300
  if (!Array.isArray(codes) || !codes.every((code) => Number.isInteger(code) && code >= 200 && code < 600)) {
    throw payloadInvalid('success_codes', 'a list of status codes from 200 to 599')
  }
  return (status) => codes.includes(status)
}

function resultOf(answer: HttpAnswer): object {
  return {
    status: answer.status,
    headers: boundedHeaders(answer.headers),
    ...encodedBody(answer),
    ...(answer.isTruncated && { truncated: true }),
  }
}

function boundedHeaders(all: HttpAnswer['headers']): Record<string, string> {
  const kept: Record<string, string> = {}
  let bytes = 0
  for (const [name, value = ''] of Object.entries(all).slice(0, answerHeadersMax)) {
    const joined = Array.isArray(value) ? value.join(', ') : value
    bytes += name.length + joined.length
    if (bytes > answerHeaderBytesMax) break
    kept[name] = joined
  }
  return kept
}

function encodedBody({ body, isTruncated }: HttpAnswer): object {
  // A cut may fall inside a character, which takes at most four bytes.
  for (let cut = 0; cut <= (isTruncated ? 3 : 0); cut += 1) {
    const shorter = body.subarray(0, body.length - cut)
    if (isUtf8(shorter)) return { body: shorter.toString('utf8') }
  }
  return { body: body.toString('base64'), body_encoding: 'base64' }
}
