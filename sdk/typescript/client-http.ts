import type { Call } from './client-calls.ts'
import { errorOfAnswer, FlowForgeError } from './client-error.ts'
import type { JsonObject, JsonValue } from './client-resources.ts'
import type { CallOptions, Transport } from './client-transport.ts'

const lineBytesMax = 8 * 1024 * 1024

/** The gateway's HTTP/JSON API at `url`, over kept-alive connections; streams are NDJSON of `{"result"}` or `{"error"}`. */
export function httpTransport(url: string, apiKey: string | undefined): Transport {
  const base = new URL(url)
  const headers: Record<string, string> = { accept: 'application/json' }
  if (apiKey) headers.authorization = `Bearer ${apiKey}`

  async function send(call: Call, request: JsonObject, signal: AbortSignal | undefined): Promise<Response> {
    const { path, query, body } = bind(call, request)
    const target = new URL(base.pathname.replace(/\/$/, '') + path, base)
    target.search = query.toString()
    const init: RequestInit = { method: call.verb, headers, signal }
    if (body !== undefined) {
      init.body = JSON.stringify(body)
      init.headers = { ...headers, 'content-type': 'application/json' }
    }
    const response = await fetch(target, init)
    if (response.ok) return response
    throw errorOfAnswer(response.status, response.headers.get('retry-after'), parse(await response.text()) ?? null)
  }

  return {
    async unary(call, request, options) {
      const timeout = AbortSignal.timeout(options.timeoutMs ?? 30_000)
      const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout
      try {
        const response = await send(call, request, signal)
        return answer(await response.text(), response.status)
      } catch (error) {
        throw explain(error, base.origin, options)
      }
    },
    async *stream(call, request, options) {
      try {
        const response = await send(call, request, options.signal)
        for await (const line of lines(response)) {
          const message = answer(line, response.status)
          if (message.error) throw errorOfAnswer(response.status, null, message)
          yield message.result as JsonObject
        }
      } catch (error) {
        throw explain(error, base.origin, options)
      }
    },
    close() {},
  }
}

/** A request's place in HTTP: fields named in the path, the body, and the rest in the query. */
function bind(call: Call, request: JsonObject): { path: string; query: URLSearchParams; body: JsonValue | undefined } {
  const rest: JsonObject = { ...request }
  const path = call.path.replace(/\{([^}]+)\}/, (_, field: string) => {
    const value = field.split('.').reduce<JsonValue | undefined>((from, key) => (from as JsonObject)?.[key], request)
    delete rest[field]
    return textOf(value).split('/').map(encodeURIComponent).join('/')
  })
  const query = new URLSearchParams()
  if (call.body === '*') return { path, query, body: rest }
  const body = call.body ? request[call.body] : undefined
  for (const [key, value] of Object.entries(rest)) {
    if (key !== call.body && value !== undefined && value !== '') query.set(key, textOf(value))
  }
  return { path, query, body }
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function answer(text: string, httpStatus: number): JsonObject {
  const value = parse(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new FlowForgeError('INTERNAL', 'the answer is no JSON object; is this the gateway?', { httpStatus })
}

function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    // Whoever asks decides what an answer without JSON means.
    return undefined
  }
}

/** Lines of a body of newline-delimited JSON as they arrive. */
async function* lines(response: Response): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    if (rest.length > lineBytesMax) throw new FlowForgeError('INTERNAL', 'a line of the stream is too long')
    yield* parts.filter((part) => part.trim() !== '')
  }
}

/** Turns what `fetch` throws into a FlowForgeError; the caller's own abort stays as it is. */
function explain(error: unknown, origin: string, options: CallOptions): unknown {
  if (error instanceof FlowForgeError || options.signal?.aborted) return error
  if ((error as Error).name === 'TimeoutError') {
    return new FlowForgeError('DEADLINE_EXCEEDED', `no answer from ${origin} in time`, { cause: error })
  }
  const cause = ((error as Error).cause ?? error) as NodeJS.ErrnoException
  return new FlowForgeError('UNAVAILABLE', `cannot reach ${origin}: ${cause.code ?? cause.message}`, { cause })
}
