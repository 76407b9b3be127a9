/** Policies as JSON that one can keep and compare: sorted, without source lines, times as declared. */
import {
  components,
  roles,
  type MethodPolicy,
  type Policies,
  type RatePolicy,
  type RetryPolicy,
} from '../policy/policy.ts'

/** One RPC in a snapshot. */
export interface MethodSnapshot {
  callers: string[]
  roles: string[]
  timeoutMs?: number
  idleTimeoutMs?: number
  idempotent: boolean
  retry?: RetryPolicy
  rate?: RatePolicy
  concurrency: number
  group: string
}

/** What `flowforge-mesh diff` compares. */
export interface Snapshot {
  methods: Record<string, MethodSnapshot>
  /** Rates of ports by component. */
  meshRates: Record<string, RatePolicy>
}

export function snapshot({ methods, components: ports }: Policies): Snapshot {
  const sorted = [...methods.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  const rated = [...ports.values()].flatMap(({ component, meshRate }) => (meshRate ? [[component, meshRate]] : []))
  return {
    methods: Object.fromEntries(sorted.map((method) => [method.path, methodSnapshot(method)])),
    meshRates: Object.fromEntries(rated) as Record<string, RatePolicy>,
  }
}

function methodSnapshot(method: MethodPolicy): MethodSnapshot {
  const { timeoutMs, idleTimeoutMs, idempotent, retry, rate, concurrency, group } = method
  return {
    callers: components.filter((one) => method.callers.has(one)),
    roles: roles.filter((one) => method.roles.has(one)),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
    idempotent,
    ...(retry ? { retry } : {}),
    ...(rate ? { rate } : {}),
    concurrency,
    group,
  }
}
