/**
 * A server stream over HTTP, in one of four forms:
 *
 * - NDJSON, `{"result": …}` a line, at last `{"error": …}` if the call fails;
 * - server-sent events when the caller accepts `text/event-stream`: `data: …`, at last `event: end` or `event: error`;
 * - a JSON array when the query says `$alt=json`, as Google's own clients do: its last item is `{"error": …}` if the call fails;
 * - the bytes as they are when the messages are `google.api.HttpBody`.
 *
 * The response's headers wait for the first message, so that a call that fails at once has an honest status.
 */
import type { ServerResponse } from 'node:http'
import { status, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js'
import { RpcError } from './errors.ts'
import { readHttpBody } from './http-body.ts'

export type StreamForm = 'lines' | 'events' | 'array'

export interface StreamOptions {
  readonly form: StreamForm
  /** The ID of an event; events are counted if undefined. */
  readonly idOf: ((message: Buffer) => string) | undefined
  /** A message as JSON text; undefined when messages are `google.api.HttpBody`. */
  readonly decode: ((message: Buffer) => string) | undefined
  readonly heartbeatMs: number
  /** Longest silence of the service before the call is given up. */
  readonly idleTimeoutMs: number
  toError(error: ServiceError): RpcError
  /** Calls that end a stream early, while they run. */
  readonly running: Set<(error: RpcError) => void>
}

// A caller wants to know soon that the stream stands, even when nothing happens on it yet.
const headersAfterMs = 1_000

/** Pipes a call into a response; resolves when the response has ended, rejects while it has not begun. */
export function pipeStream(
  call: ClientReadableStream<Buffer>,
  response: ServerResponse,
  options: StreamOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const form =
      options.decode === undefined
        ? rawForm(response)
        : options.form === 'events'
          ? eventForm(response, options.decode, options.idOf)
          : options.form === 'array'
            ? arrayForm(response, options.decode)
            : lineForm(response, options.decode)
    let isOver = false
    const finish = (error?: RpcError): void => {
      if (isOver) return
      isOver = true
      options.running.delete(finish)
      clearTimeout(headersTimer)
      clearTimeout(idleTimer)
      clearInterval(heartbeat)
      call.cancel()
      if (error !== undefined && !response.headersSent) return reject(error)
      if (!response.headersSent) form.begin()
      form.finish(error)
      resolve()
    }
    options.running.add(finish)
    const begin = (): void => {
      if (!response.headersSent) form.begin()
    }
    const headersTimer = setTimeout(() => {
      begin()
      response.flushHeaders()
    }, headersAfterMs)
    const idleTimer = setTimeout(
      () => finish(new RpcError(status.DEADLINE_EXCEEDED, 'the service was silent for too long')),
      options.idleTimeoutMs,
    )
    const heartbeat = setInterval(() => {
      if (response.headersSent && !response.writableNeedDrain) form.heartbeat()
    }, options.heartbeatMs)

    call.on('data', (message: Buffer) => {
      if (isOver) return
      idleTimer.refresh()
      try {
        begin()
        // No more is read from the service than the caller takes.
        if (!form.message(message)) call.pause()
      } catch (error) {
        finish(new RpcError(status.INTERNAL, 'the answer has no JSON form', { cause: error }))
      }
    })
    response.on('drain', () => call.resume())
    response.once('close', () => finish())
    call.once('error', (error: ServiceError) => finish(options.toError(error)))
    call.once('end', () => finish())
    // After `cancel` the call reports itself as cancelled, to nobody any more.
    call.on('error', () => undefined)
  })
}

interface Form {
  begin(): void
  /** False when the caller should be waited for. */
  message(message: Buffer): boolean
  heartbeat(): void
  finish(error: RpcError | undefined): void
}

function lineForm(response: ServerResponse, decode: (message: Buffer) => string): Form {
  return {
    begin: () => void response.writeHead(200, { 'content-type': 'application/x-ndjson', 'x-accel-buffering': 'no' }),
    message: (message) => response.write(`{"result":${decode(message)}}\n`),
    // An empty line means nothing to whoever splits by lines, and tells a dead connection from a quiet one.
    heartbeat: () => void response.write('\n'),
    finish: (error) => void response.end(error && `${JSON.stringify({ error })}\n`),
  }
}

function eventForm(
  response: ServerResponse,
  decode: (message: Buffer) => string,
  idOf: ((message: Buffer) => string) | undefined,
): Form {
  let count = 0
  const nextId = idOf ?? (() => String(++count))
  return {
    begin: () =>
      void response.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      }),
    message: (message) => response.write(`id: ${nextId(message)}\ndata: ${decode(message)}\n\n`),
    heartbeat: () => void response.write(': heartbeat\n\n'),
    finish: (error) =>
      void response.end(error ? `event: error\ndata: ${JSON.stringify({ error })}\n\n` : 'event: end\ndata: {}\n\n'),
  }
}

function arrayForm(response: ServerResponse, decode: (message: Buffer) => string): Form {
  let separator = ''
  const write = (item: string): boolean => {
    const isTaken = response.write(`${separator}${item}\n`)
    separator = ','
    return isTaken
  }
  return {
    begin() {
      response.writeHead(200, { 'content-type': 'application/json', 'x-accel-buffering': 'no' })
      response.write('[')
    },
    message: (message) => write(decode(message)),
    heartbeat: () => void response.write('\n'),
    finish(error) {
      if (error !== undefined) write(JSON.stringify({ error }))
      response.end(']')
    },
  }
}

function rawForm(response: ServerResponse): Form {
  return {
    begin: () => undefined,
    message(message) {
      const { contentType, data } = readHttpBody(message)
      if (!response.headersSent) response.writeHead(200, { 'content-type': contentType })
      return response.write(data)
    },
    heartbeat: () => undefined,
    // Bytes have no place for an error: the connection breaks, so that nobody takes a part for the whole.
    finish: (error) => void (error ? response.destroy() : response.end()),
  }
}
