/** One request, one answer, and how two of them differ. */
import { Agent, request as httpRequest } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import type { ProbeRequest } from './requests.ts'

export interface Outcome {
  readonly status: number
  /** JSON, or the text if it is none. */
  readonly content: unknown
}

/** A request that was answered differently. */
export interface Difference {
  readonly request: ProbeRequest
  readonly ours: Outcome
  readonly theirs: Outcome
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 })

/** Sends a request as it is written. */
export function ask(port: number, { method, url, body }: ProbeRequest): Promise<Outcome> {
  const bytes = body === undefined ? undefined : Buffer.from(body)
  const headers = bytes && { 'content-type': 'application/json', 'content-length': bytes.length }
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method, path: url, agent, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode!, content: parsed(Buffer.concat(chunks)) }))
    })
    request.on('error', reject)
    request.end(bytes)
  })
}

function parsed(bytes: Buffer): unknown {
  const text = bytes.toString('utf8')
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Undefined when both answer the same, or refuse with the same status. */
export function differenceOf(request: ProbeRequest, ours: Outcome, theirs: Outcome): Difference | undefined {
  const isSame = ours.status >= 400 || isDeepStrictEqual(ours.content, theirs.content)
  return ours.status === theirs.status && isSame ? undefined : { request, ours, theirs }
}
