/** Metrics in Prometheus' format. Labels are bounded: methods come from the contracts, never from a request. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { codeName } from './status.ts'

export { Counter, Gauge, Histogram } from 'prom-client'

/** Every metric of this process; `/metrics` prints it. */
export const registry = new Registry()

/** Adds the process's own metrics (CPU, memory, event loop); once, by `runProcess`. */
export function collectProcessMetrics(): void {
  collectDefaultMetrics({ register: registry })
}

// Every time that a contract promises is one of them: the longest is that of a long poll.
const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 31]

function rpcMetrics(side: 'server' | 'client') {
  return {
    handled: new Counter({
      name: `grpc_${side}_handled_total`,
      help: `Calls that ended, by method and status code, seen by the ${side}.`,
      labelNames: ['method', 'code'],
      registers: [registry],
    }),
    handling: new Histogram({
      name: `grpc_${side}_handling_seconds`,
      help: `Time from a call's start to its end, seen by the ${side}.`,
      labelNames: ['method'],
      buckets: secondsBuckets,
      registers: [registry],
    }),
  }
}

const sides = { server: rpcMetrics('server'), client: rpcMetrics('client') }

/** Calls that the policy of their RPC forbids. */
export const denials = new Counter({
  name: 'grpc_server_denied_total',
  help: 'Calls against policy, by method, calling component, and reason; enforced is false where they were only logged.',
  labelNames: ['method', 'caller', 'reason', 'enforced'],
  registers: [registry],
})

/** Attempts after the first. */
export const retries = new Counter({
  name: 'grpc_client_retries_total',
  help: 'Attempts after the first, by method; sent is false where the one before had not left this process.',
  labelNames: ['method', 'sent'],
  registers: [registry],
})

/** Calls that were not sent. */
export const clientRefusals = new Counter({
  name: 'grpc_client_refused_total',
  help: 'Calls refused before they were sent, by upstream, method group and reason.',
  labelNames: ['upstream', 'group', 'reason'],
  registers: [registry],
})

export const breakerStates = new Gauge({
  name: 'grpc_client_breaker_state',
  help: 'Breakers by upstream and method group: 0 closed, 1 half-open, 2 open.',
  labelNames: ['upstream', 'group'],
  registers: [registry],
})

const inFlight = new Map<string, { labels: Record<string, string>; count: () => number }>()
new Gauge({
  name: 'grpc_client_bulkhead_calls',
  help: 'Calls in flight, by upstream and method group.',
  labelNames: ['upstream', 'group'],
  registers: [registry],
  // Counted where the places are; asking costs calls nothing.
  collect() {
    for (const { labels, count } of inFlight.values()) this.set(labels, count())
  },
})

/** Makes the calls in flight of a method group visible. */
export function observeCallsInFlight(labels: { upstream: string; group: string }, count: () => number): void {
  inFlight.set(`${labels.upstream} ${labels.group}`, { labels, count })
}

export const databaseConnections = new Gauge({
  name: 'database_pool_connections',
  help: 'Connections of the pool to PostgreSQL: in_use, idle; waiting counts callers without one.',
  labelNames: ['state'],
  registers: [registry],
})

/** Records the end of one call of one method. */
export type RecordCall = (code: number, startedMs: number) => void

/** The recorder of one method. Its labels are resolved once, so that a call costs two additions. */
export function callRecorder(side: 'server' | 'client', path: string): RecordCall {
  const { handled, handling } = sides[side]
  const method = path.slice(1)
  const seconds = handling.labels(method)
  const byCode: Counter.Internal[] = []
  return (code, startedMs) => {
    const counter = (byCode[code] ??= handled.labels(method, codeName(code)))
    counter.inc()
    seconds.observe((performance.now() - startedMs) / 1_000)
  }
}
