import type { Component, RatePolicy } from '../policy/policy.ts'
import type { Installation } from './installation.ts'
import { metadata, serverRef } from './references.ts'
import { apis, type Resource, type Value } from './resource.ts'

/** What one instance of a component accepts per second. Its Server must not be a gRPC one, see `served`. */
export function rateLimit(component: Component, rate: RatePolicy, installation: Installation): Resource {
  const limits: { [key: string]: Value } = { total: { requestsPerSecond: rate.requestsPerSecond } }
  if (rate.perIdentity !== undefined) limits['identity'] = { requestsPerSecond: rate.perIdentity }
  return {
    apiVersion: apis.linkerd,
    kind: 'HTTPLocalRateLimitPolicy',
    metadata: metadata(component, 'grpc', installation),
    spec: { targetRef: serverRef(component, installation), ...limits },
  }
}
