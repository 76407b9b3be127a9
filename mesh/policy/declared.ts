/** The options as they are written, before defaults and judgement. */
import { getOption, type DescExtension, type DescMethod, type DescService, type Registry } from '@bufbuild/protobuf'

/** Field numbers of `flowforge.mesh.v1.Policy`, for the lines that problems name. */
export const policyFields = {
  callers: 1,
  roles: 2,
  timeout: 3,
  idleTimeout: 4,
  retry: 5,
  rate: 6,
  concurrency: 7,
  group: 8,
  slo: 9,
  meshRate: 10,
} as const

/** Field numbers of `flowforge.mesh.v1.ServicePolicy`. */
export const serviceFields = { meshRate: 1, breaker: 2, retry: 3, concurrency: 4, slo: 5 } as const

export interface DeclaredRetry {
  attempts: number
  codes: number[]
}
export interface DeclaredRate {
  requestsPerSecond: number
  perIdentity: number
}
export interface DeclaredBreaker {
  consecutiveFailures: number
  minPenalty: string
  maxPenalty: string
}
export interface DeclaredSlo {
  availability: number
  latency: string
  latencyObjective: number
}
export interface DeclaredPolicy {
  callers: number[]
  roles: number[]
  timeout: string
  idleTimeout: string
  retry?: DeclaredRetry
  rate?: DeclaredRate
  concurrency: number
  group: string
  slo?: DeclaredSlo
  meshRate?: DeclaredRate
}
export interface DeclaredServicePolicy {
  meshRate?: DeclaredRate
  breaker?: DeclaredBreaker
  retry?: DeclaredRetry
  concurrency: number
  slo?: DeclaredSlo
}

/** Reads the options of one set of contracts. */
export interface Declarations {
  readonly policyNumber: number
  readonly servicePolicyNumber: number
  ofMethod(method: DescMethod): DeclaredPolicy
  ofService(service: DescService): DeclaredServicePolicy
  /** Whether the method is reachable over HTTP, that is has a `google.api.http` binding. */
  hasHttp(method: DescMethod): boolean
}

export function declarationsOf(registry: Registry): Declarations {
  const policy = extensionOf(registry, 'flowforge.mesh.v1.policy')
  const servicePolicy = extensionOf(registry, 'flowforge.mesh.v1.service_policy')
  const http = registry.getExtension('google.api.http')
  // The extensions are known from the descriptors alone, so their shapes are no types of the compiler's.
  return {
    policyNumber: policy.number,
    servicePolicyNumber: servicePolicy.number,
    ofMethod: (method) => getOption(method, policy) as unknown as DeclaredPolicy,
    ofService: (service) => getOption(service, servicePolicy) as unknown as DeclaredServicePolicy,
    hasHttp(method) {
      const unknown = method.proto.options?.$unknown ?? []
      return http !== undefined && unknown.some(({ no }) => no === http.number)
    },
  }
}

function extensionOf(registry: Registry, name: string): DescExtension {
  const found = registry.getExtension(name)
  if (!found) throw new Error(`the contracts do not contain ${name}`)
  return found
}
