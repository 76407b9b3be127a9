/** What the server knows about one of its methods before anybody calls it. */
import type { TLSSocket } from 'node:tls'
import { status, type MethodDefinition } from '@grpc/grpc-js'
import type { ActiveCall, Caller, SurfaceCall } from './call-context.ts'
import { componentOf, identityIn, type IdentityScope } from './identity.ts'
import type { Logger } from './log.ts'
import { callRecorder, type RecordCall } from './metrics.ts'
import type { MethodPolicy } from './policy.ts'
import { permissionDenied, StatusError } from './status.ts'

export interface ServedMethod {
  path: string
  /** Undefined for health and reflection, which every identity of ours may ask. */
  policy: MethodPolicy | undefined
  record: RecordCall
  log: Logger
  isDebug: boolean
  draining: AbortSignal
  /** The calls that have not ended yet. */
  active: Set<ActiveCall>
  /** Who calls; throws unless the policy lets them. */
  admit(call: SurfaceCall): Caller
}

export interface ServerScope {
  scope: IdentityScope
  log: Logger
  draining: AbortSignal
  active: Set<ActiveCall>
}

export function servedMethod(path: string, policy: MethodPolicy | undefined, server: ServerScope): ServedMethod {
  return {
    path,
    policy,
    record: callRecorder('server', path),
    log: server.log,
    isDebug: server.log.isLevelEnabled('debug'),
    draining: server.draining,
    active: server.active,
    admit(call) {
      const caller = callerOf(call, server.scope)
      if (policy && !policy.callers.has(caller.component)) {
        throw permissionDenied('CALLER_NOT_ALLOWED', `${caller.component} may not call ${path.slice(1)}`)
      }
      return caller
    },
  }
}

// Reading a certificate costs as much as a small call, and it is the same for all calls of a connection.
const callers = new WeakMap<object, Caller>()

/** The private way from a call to its HTTP/2 session; a grpc-js without it only costs the cache. */
interface CallInternals {
  call?: { stream?: { session?: { socket?: TLSSocket } } }
  getAuthContext(): { sslPeerCertificate?: { subjectaltname?: string } }
}

function callerOf(call: SurfaceCall, scope: IdentityScope): Caller {
  const internals = call as unknown as CallInternals
  const session = internals.call?.stream?.session
  const known = session && callers.get(session)
  if (known) return known
  const certificate = internals.getAuthContext().sslPeerCertificate
  const identity = certificate && identityIn(certificate)
  const component = identity && componentOf(identity, scope)
  if (!identity || !component) {
    throw permissionDenied('UNKNOWN_IDENTITY', `${identity ?? 'the caller'} is not a workload of this installation`)
  }
  const caller = { identity, component }
  if (session) callers.set(session, caller)
  return caller
}

/** Stands for a request that could not be decoded; a deserializer that throws would end the call as INTERNAL. */
export class Malformed {}
const malformed = new Malformed()

/** The definition with a deserializer that does not throw and a serializer whose failure is logged. */
export function guarded<Req, Res>(definition: MethodDefinition<Req, Res>, log: Logger): MethodDefinition<Req, Res> {
  const { requestDeserialize, responseSerialize, path } = definition
  return {
    ...definition,
    requestDeserialize(bytes) {
      try {
        return requestDeserialize(bytes)
      } catch {
        return malformed as Req
      }
    },
    responseSerialize(response) {
      try {
        return responseSerialize(response)
      } catch (error) {
        log.error({ err: error, method: path }, 'a response could not be encoded')
        throw error
      }
    },
  }
}

/** Throws INVALID_ARGUMENT for a request that could not be decoded. */
export function decoded<Req>(request: Req | Malformed): Req {
  if (request instanceof Malformed) {
    throw new StatusError(
      status.INVALID_ARGUMENT,
      'MALFORMED_REQUEST',
      'the request is not a valid message of its type',
    )
  }
  return request
}
