import type { handleUnaryCall } from '@grpc/grpc-js'
import { ActiveCall, type CallContext } from './call-context.ts'
import { decoded, type ServedMethod } from './served-method.ts'
import { toServiceError } from './status.ts'

export type UnaryHandler<Req, Res> = (request: Req, context: CallContext) => Promise<Res>

/** A unary handler as grpc-js wants it: admission, the handler, its answer or error. */
export function handleUnary<Req, Res>(
  method: ServedMethod,
  handler: UnaryHandler<Req, Res>,
): handleUnaryCall<Req, Res> {
  return (call, callback) => {
    const startedMs = performance.now()
    let active: ActiveCall
    let request: Req
    try {
      const caller = method.admit(call, startedMs)
      request = decoded<Req>(call.request)
      active = new ActiveCall(method, call, caller, (error) => callback(active.fail(error)))
    } catch (error) {
      const told = toServiceError(error, method.log)
      method.record(told.code, startedMs)
      callback(told)
      return
    }
    active
      .run(() => handler(request, active))
      .then(
        (response) => {
          if (active.succeed()) callback(null, response, active.trailers)
        },
        (error: unknown) => {
          if (!active.isOver) callback(active.fail(error))
        },
      )
  }
}
