/** What the server knows about one of its methods before anybody calls it. */
import { status, type MethodDefinition } from '@grpc/grpc-js'
import type { Places } from '@flowforge/grpc/places'
import type { ActiveCall, SurfaceCall } from './call-context.ts'
import { decide, type Caller, type Refusal, type Rule } from './decide.ts'
import type { Logger } from './log.ts'
import { callRecorder, denials, type RecordCall } from './metrics.ts'
import { components, type MethodPolicy } from './policy.ts'
import { rateLimit, type RateLimit } from './rate-limit.ts'
import { StatusError, retryInfo } from './status.ts'
import type { PolicyMode } from './workload.ts'

export interface ServedMethod {
  path: string
  /** Undefined for health and reflection, which every identity of ours may ask. */
  policy: MethodPolicy | undefined
  record: RecordCall
  log: Logger
  isDebug: boolean
  draining: AbortSignal
  /** The calls that have not ended yet. */
  active: Places<ActiveCall>
  /** Who calls; throws unless the policy lets them. `nowMs` is of `performance.now()`. */
  admit(call: SurfaceCall, nowMs: number): Caller
}

export interface ServerScope {
  callerOf(call: SurfaceCall): Caller
  policyMode: PolicyMode
  log: Logger
  draining: AbortSignal
  active: Places<ActiveCall>
  /** The rate of the port, over all of its RPCs. */
  portRate: RateLimit | undefined
}

export function servedMethod(path: string, policy: MethodPolicy | undefined, server: ServerScope): ServedMethod {
  const rule = ruleOf(policy, server.portRate)
  return {
    path,
    policy,
    record: callRecorder('server', path),
    log: server.log,
    isDebug: server.log.isLevelEnabled('debug'),
    draining: server.draining,
    active: server.active,
    admit(call, nowMs) {
      const caller = server.callerOf(call)
      const refusal = decide(rule, caller, nowMs)
      if (refusal) refuse(refusal, caller, path, server)
      return caller
    },
  }
}

const everyone = new Set(components)

/** What `decide` needs to know of a policy; without one, every identity of ours may call. */
function ruleOf(policy: MethodPolicy | undefined, portRate: RateLimit | undefined): Rule {
  const own = policy?.rate && rateLimit(policy.rate)
  return { callers: policy?.callers ?? everyone, rates: [portRate, own].filter((rate) => rate !== undefined) }
}

/** Counts a refusal and throws it; under audit it is logged instead, unless there is nothing that could serve the call. */
export function refuse(refusal: Refusal, caller: Caller, path: string, { policyMode, log }: ServerScope): void {
  const { code, reason, retryAfterMs } = refusal
  const isKnown = reason !== 'UNKNOWN_METHOD'
  const isEnforced = policyMode === 'enforce' || !isKnown
  // A stranger's name and path are what it likes; as labels they would be without bound.
  const labels = { method: isKnown ? path.slice(1) : 'unknown', caller: caller.component ?? 'stranger', reason }
  denials.inc({ ...labels, enforced: String(isEnforced) })
  const message = sentenceAbout(refusal, caller, path)
  if (isEnforced) throw new StatusError(code, reason, message, { details: retryInfo(retryAfterMs) })
  log.warn({ method: path, caller: caller.identity, reason }, `audit: would be refused: ${message}`)
}

function sentenceAbout({ reason }: Refusal, caller: Caller, path: string): string {
  switch (reason) {
    case 'UNKNOWN_METHOD':
      return `${path.slice(1)} is not served here`
    case 'UNKNOWN_IDENTITY':
      return `${caller.identity ?? 'the caller'} is not a workload of this installation`
    case 'CALLER_NOT_ALLOWED':
      return `${caller.component} may not call ${path.slice(1)}`
    case 'RATE_LIMITED':
      return `${path.slice(1)} is called more often than its policy allows`
  }
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
