/** What the contracts declare, in the form that everything else reads: plain values, every default applied. */

/** Whoever has an identity of its own; each is a value of `flowforge.mesh.v1.Component`. */
export const components = ['gateway', 'tasks', 'accounts', 'notifications', 'worker', 'operator'] as const
export type Component = (typeof components)[number]
export const roles = ['viewer', 'submitter', 'worker', 'admin'] as const
export type Role = (typeof roles)[number]

/** The five statuses that Linkerd can retry, by the name that `google.rpc.Code` gives them. */
export const retryableCodes = {
  CANCELLED: 1,
  DEADLINE_EXCEEDED: 4,
  INTERNAL: 13,
  RESOURCE_EXHAUSTED: 8,
  UNAVAILABLE: 14,
} as const
export type RetryableCode = keyof typeof retryableCodes

/** When and how often a failed call is made again. */
export interface RetryPolicy {
  /** Attempts in all, the first included; at least 2. */
  attempts: number
  codes: readonly RetryableCode[]
  /**
   * What makes it safe. `idempotency_level`: always, so whichever layer owns retries makes them.
   * `request_id`: only for a request that carries one, which a proxy cannot see, so always the process.
   */
  safeBy: 'idempotency_level' | 'request_id'
}

/** Calls per second at one instance; a burst of one second's worth is let through. */
export interface RatePolicy {
  requestsPerSecond: number
  perIdentity: number | undefined
}

/** When a client stops calling an instance, and for how long. */
export interface BreakerPolicy {
  consecutiveFailures: number
  minPenaltyMs: number
  maxPenaltyMs: number
}

/** What users may rely on, over 30 days. */
export interface Slo {
  /** Share of calls that do not fail by our fault. */
  availability: number
  latencyMs: number
  /** Share of calls answered within `latencyMs`; of streams, their first message. */
  latencyObjective: number
}

/** Where a declaration stands. */
export interface SourceLine {
  file: string
  line: number
}

/** Everything that is declared about one RPC. */
export interface MethodPolicy {
  /** `/package.Service/Method`. */
  path: string
  /** Who serves it. */
  component: Component
  isStream: boolean
  callers: ReadonlySet<Component>
  /** Roles of which a principal needs one; empty for RPCs that only components call. */
  roles: ReadonlySet<Role>
  /** Of a unary RPC. */
  timeoutMs: number | undefined
  /** Of a stream. */
  idleTimeoutMs: number | undefined
  /** Declared NO_SIDE_EFFECTS or IDEMPOTENT: repeating it does no harm, whatever became of the first call. */
  idempotent: boolean
  retry: RetryPolicy | undefined
  /** In process, at one instance. */
  rate: RatePolicy | undefined
  /** Calls in flight from one client process to the component, in this RPC's group. */
  concurrency: number
  /** RPCs of the component that share a breaker and a bulkhead in the client. */
  group: string
  /** The component's, the same for all of its RPCs. */
  breaker: BreakerPolicy
  slo: Slo
  source: SourceLine
}

/** Everything that is declared about the port of one component. */
export interface ComponentPolicy {
  component: Component
  /** Of one instance, over all RPCs of the component. */
  meshRate: RatePolicy | undefined
  breaker: BreakerPolicy
}

/** All policies of an installation. */
export interface Policies {
  /** By path. */
  methods: Map<string, MethodPolicy>
  /** Those that serve RPCs. */
  components: Map<Component, ComponentPolicy>
}
