import * as fc from 'fast-check'
import {
  components,
  retryableCodes,
  type Component,
  type ComponentPolicy,
  type MethodPolicy,
  type Policies,
  type RatePolicy,
  type RetryableCode,
} from '../../policy/policy.ts'

const serving = ['tasks', 'accounts', 'notifications'] as const
const breaker = { consecutiveFailures: 7, minPenaltyMs: 1_000, maxPenaltyMs: 30_000 }
const slo = { availability: 0.999, latencyMs: 100, latencyObjective: 0.99 }

/** Times that a contract may declare: every unit, every digit. */
const times = fc.oneof(
  fc.integer({ min: 1, max: 999_999 }),
  fc.integer({ min: 1, max: 3_600 }).map((seconds) => seconds * 1_000),
)

const rates: fc.Arbitrary<RatePolicy> = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }))
  .map(([requestsPerSecond, each]) => ({
    requestsPerSecond,
    perIdentity: each === undefined ? undefined : Math.min(each, requestsPerSecond),
  }))

const retryCodes = fc.uniqueArray(fc.constantFrom(...(Object.keys(retryableCodes) as RetryableCode[])), {
  minLength: 1,
})

/** An RPC's own part; path and component follow from where it stands. */
const methods = fc.record({
  service: fc.constantFrom('AlphaService', 'BetaService', 'AlphaServiceV2'),
  // One name begins another, and two services share all of them.
  name: fc.constantFrom('Get', 'GetAll', 'Watch', 'A', 'BatchCreateThingsThatHaveAVeryLongName', 'ListURLs'),
  isStream: fc.boolean(),
  callers: fc.uniqueArray(fc.constantFrom(...components), { minLength: 1 }),
  time: times,
  retry: fc.option(
    fc.record({
      attempts: fc.integer({ min: 2, max: 3 }),
      codes: retryCodes,
      safeBy: fc.constantFrom('idempotency_level' as const, 'request_id' as const),
    }),
    { nil: undefined },
  ),
})

/** Policies of one to three components with a few RPCs each, as a contract could declare them. */
export const randomPolicies: fc.Arbitrary<Policies> = fc
  .uniqueArray(
    fc.record({
      component: fc.constantFrom(...serving),
      meshRate: fc.option(rates, { nil: undefined }),
      methods: fc.uniqueArray(methods, {
        minLength: 1,
        maxLength: 3,
        selector: ({ service, name }) => `${service}/${name}`,
      }),
    }),
    { minLength: 1, maxLength: 2, selector: ({ component }) => component },
  )
  .map((parts) => {
    const all = new Map<string, MethodPolicy>()
    const ports = new Map<Component, ComponentPolicy>()
    for (const { component, meshRate, methods: own } of parts) {
      ports.set(component, { component, meshRate, breaker })
      for (const { service, name, isStream, callers, time, retry } of own) {
        const path = `/flowforge.${component}.v1.${service}/${name}`
        // No component is its own caller.
        const others = callers.filter((caller) => caller !== component)
        all.set(path, {
          path,
          component,
          isStream,
          callers: new Set(others.length > 0 ? others : ['gateway']),
          roles: new Set(),
          timeoutMs: isStream ? undefined : time,
          idleTimeoutMs: isStream ? time : undefined,
          idempotent: retry?.safeBy === 'idempotency_level',
          retry: isStream ? undefined : retry,
          rate: undefined,
          concurrency: 10,
          group: isStream ? 'stream' : 'unary',
          breaker,
          slo,
          source: { file: 'random.proto', line: 1 },
        })
      }
    }
    return { methods: all, components: ports }
  })
