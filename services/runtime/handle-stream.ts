import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  status,
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type ServerDuplexStream,
  type ServerWritableStream,
} from '@grpc/grpc-js'
import { ActiveCall, type CallContext } from './call-context.ts'
import { decoded, type ServedMethod } from './served-method.ts'
import { StatusError, toServiceError } from './status.ts'

/** Sends as many responses as it likes; the stream ends when the promise settles. */
export type ServerStreamHandler<Req, Res> = (
  request: Req,
  context: CallContext,
  /** Resolves when there is room for the next one; rejects once the client is gone. */
  send: (response: Res) => Promise<void>,
) => Promise<void>

/** Both directions of a stream; the stream ends when the promise settles. */
export type BidiHandler<Req, Res> = (call: BidiCall<Req, Res>, context: CallContext) => Promise<void>

/** Read either by iterating `requests` or by `onRequest`, not both. */
export interface BidiCall<Req, Res> {
  /** The client's messages until it closes its side. Throws CANCELLED when the client goes away instead. */
  requests: AsyncIterable<Req>
  /** Calls `fn` for each message in its order. An error that `fn` throws ends the stream with it. */
  onRequest(fn: (request: Req) => void): void
  /** Resolves when the client has closed its side, or is gone. */
  ended: Promise<void>
  /** Sends; false means that there is no room, and `drained` says when there is. Does nothing once the client is gone. */
  send(response: Res): boolean
  drained(): Promise<void>
}

type WritableCall<Res> = ServerWritableStream<unknown, Res> | ServerDuplexStream<unknown, Res>

/** A server stream as grpc-js wants it. */
export function handleServerStream<Req, Res>(
  method: ServedMethod,
  handler: ServerStreamHandler<Req, Res>,
): handleServerStreamingCall<Req, Res> {
  return (call) => {
    runStream(method, call, (active, touch) => {
      const request = decoded<Req>(call.request)
      return handler(request, active, async (response) => {
        active.throwIfInterrupted()
        touch()
        if (!call.write(response)) await drained(call)
        active.throwIfInterrupted()
      })
    })
  }
}

/** A bidirectional stream as grpc-js wants it. */
export function handleBidi<Req, Res>(
  method: ServedMethod,
  handler: BidiHandler<Req, Res>,
): handleBidiStreamingCall<Req, Res> {
  return (call) => {
    runStream(method, call, (active, touch) => {
      const wrapped: BidiCall<Req, Res> = {
        requests: requestsOf<Req>(call, active, touch),
        onRequest(fn) {
          call.on('data', (message: Req) => {
            touch()
            try {
              if (!active.isOver) fn(decoded<Req>(message))
            } catch (error) {
              active.interrupt(error)
            }
          })
        },
        ended: new Promise((resolve) => {
          call.once('end', resolve)
          call.once('close', resolve)
        }),
        send(response) {
          if (active.isOver || active.interruption) return true
          touch()
          return call.write(response)
        },
        drained: () => drained(call),
      }
      return handler(wrapped, active)
    })
  }
}

async function* requestsOf<Req>(
  call: ServerDuplexStream<Req, unknown>,
  active: ActiveCall,
  touch: () => void,
): AsyncGenerator<Req> {
  try {
    // Leaving the loop early must not destroy the call: its status is still to be sent.
    for await (const message of call.iterator({ destroyOnReturn: false })) {
      touch()
      yield decoded<Req>(message as Req)
    }
    // A client that cancels closes its side a moment before it says so.
    await nextTurn()
  } finally {
    active.throwIfInterrupted()
  }
}

/** Admission, the handler, and the stream's end, whichever comes first: its answer, the client leaving, or silence. */
function runStream<Res>(
  method: ServedMethod,
  call: WritableCall<Res>,
  handle: (active: ActiveCall, touch: () => void) => Promise<void>,
): void {
  const startedMs = performance.now()
  let active: ActiveCall
  const failCall = (error: unknown): void => {
    if (!active.isOver) call.emit('error', active.fail(error))
  }
  try {
    active = new ActiveCall(method, call, method.admit(call, startedMs), failCall)
  } catch (error) {
    const told = toServiceError(error, method.log)
    method.record(told.code, startedMs)
    call.emit('error', told)
    return
  }
  const idle = idleTimer(active, method.policy?.idleTimeoutMs)
  active
    .run(async () => handle(active, () => idle?.refresh()))
    .then(() => {
      if (active.succeed()) call.end(active.trailers)
    }, failCall)
    .finally(() => clearTimeout(idle))
}

function idleTimer(active: ActiveCall, idleTimeoutMs: number | undefined): NodeJS.Timeout | undefined {
  if (idleTimeoutMs === undefined) return undefined
  return setTimeout(() => active.interrupt(silent(idleTimeoutMs)), idleTimeoutMs)
}

function silent(idleTimeoutMs: number): StatusError {
  return new StatusError(status.DEADLINE_EXCEEDED, 'IDLE_TIMEOUT', `the stream was silent for ${idleTimeoutMs} ms`)
}

function drained(call: WritableCall<never>): Promise<void> {
  if (!call.writableNeedDrain || call.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      call.off('drain', done)
      call.off('close', done)
      resolve()
    }
    call.on('drain', done)
    call.on('close', done)
  })
}
