/** What a gRPC client that is not ours needs to know: the service config of each component, as gRPC reads it everywhere. */
import type { Component, MethodPolicy, Policies } from '../policy/policy.ts'

/** https://github.com/grpc/grpc/blob/master/doc/service_config.md */
export interface ServiceConfig {
  loadBalancingConfig: [{ round_robin: Record<string, never> }]
  methodConfig: MethodConfig[]
  retryThrottling: { maxTokens: number; tokenRatio: number }
}

interface MethodConfig {
  name: { service: string; method: string }[]
  timeout?: string
  retryPolicy?: {
    maxAttempts: number
    initialBackoff: string
    maxBackoff: string
    backoffMultiplier: number
    retryableStatusCodes: string[]
  }
}

/** Retries of a whole outage are paid from ten tokens, of which a success gives a tenth back. */
const retryThrottling = { maxTokens: 10, tokenRatio: 0.1 }
/** gRPC waits a random time up to the backoff. */
const backoff = { initialBackoff: '0.05s', maxBackoff: '1s', backoffMultiplier: 2 }

/** The service config of each component that serves RPCs. */
export function serviceConfigs({ methods, components }: Policies): Record<Component, ServiceConfig> {
  const configs = [...components.keys()].map((component) => {
    const own = [...methods.values()].filter((method) => method.component === component)
    return [component, serviceConfig(own)]
  })
  return Object.fromEntries(configs) as Record<Component, ServiceConfig>
}

function serviceConfig(methods: MethodPolicy[]): ServiceConfig {
  return { loadBalancingConfig: [{ round_robin: {} }], methodConfig: methods.map(methodConfig), retryThrottling }
}

function methodConfig({ path, timeoutMs, retry }: MethodPolicy): MethodConfig {
  const [service = '', method = ''] = path.slice(1).split('/')
  return {
    name: [{ service, method }],
    ...(timeoutMs === undefined ? {} : { timeout: `${timeoutMs / 1_000}s` }),
    // gRPC cannot see whether a request carries an ID, either.
    ...(retry?.safeBy === 'idempotency_level'
      ? { retryPolicy: { maxAttempts: retry.attempts, ...backoff, retryableStatusCodes: [...retry.codes] } }
      : {}),
  }
}
