import type { ServerDuplexStream } from '@grpc/grpc-js'
import { decide } from './decide.ts'
import type { GrpcServer } from './grpc/server.ts'
import { refuse, type ServerScope } from './served-method.ts'
import { toServiceError } from './status.ts'

/** Answers NOT_FOUND for an RPC that nobody serves, as the mesh does, and counts it. */
export function refuseUnknownMethods(server: GrpcServer, scope: ServerScope): void {
  server.setFallback((call: ServerDuplexStream<Buffer, Buffer>) => {
    try {
      const caller = scope.callerOf(call)
      refuse(decide(undefined, caller, 0)!, caller, call.getPath(), scope)
    } catch (error) {
      call.emit('error', toServiceError(error, scope.log))
    }
  })
}
