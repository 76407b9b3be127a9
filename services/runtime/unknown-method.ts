import type { Server, ServerDuplexStream } from '@grpc/grpc-js'
import { decide } from './decide.ts'
import { refuse, type ServerScope } from './served-method.ts'
import { toServiceError } from './status.ts'

/**
 * Answers NOT_FOUND for an RPC that nobody serves, as the mesh does, and counts it. grpc-js would answer UNIMPLEMENTED by
 * itself and tell nobody. It has no public place for such a handler, so this one stands where it looks handlers up.
 */
export function refuseUnknownMethods(server: Server, scope: ServerScope): void {
  const lookups = server as unknown as Lookups
  const known = lookups._retrieveHandler.bind(server)
  const asIs = (bytes: Buffer): Buffer => bytes
  lookups._retrieveHandler = (path) =>
    known(path) ?? {
      // Of this kind the handler runs as soon as the head is there, whatever the client means to send.
      type: 'bidi',
      path,
      serialize: asIs,
      deserialize: asIs,
      func: (call: ServerDuplexStream<Buffer, Buffer>) => {
        try {
          const caller = scope.callerOf(call)
          refuse(decide(undefined, caller, 0)!, caller, path, scope)
        } catch (error) {
          call.emit('error', toServiceError(error, scope.log))
        }
      },
    }
}

interface Lookups {
  _retrieveHandler(path: string): unknown
}
