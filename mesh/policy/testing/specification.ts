/**
 * Contracts that must not compile, with what must be said of them, and one that must, with what must be read of it:
 * the specification of the reader, which its tests and the seeded bugs are held against.
 */
import type { FileRegistry } from '@bufbuild/protobuf'
import type { Policies } from '../policy.ts'
import type { Problem } from '../problem.ts'
import { contractFile, contracts } from './contracts.ts'

/** A service with one unary RPC whose policy is given. */
export function rpc(policy: string, settings = '', input = 'Empty'): string {
  return `service S {
    rpc Do(${input}) returns (Empty) {
      ${settings}
      option (flowforge.mesh.v1.policy) = { ${policy} };
    }
  }`
}

/** A policy that compiles. */
export const good = 'callers: COMPONENT_GATEWAY\ntimeout: "2s"'
const idempotent = 'option idempotency_level = IDEMPOTENT;'
const http = 'option (google.api.http) = {get: "/v1/x"};'
const stream = (policy: string) =>
  `service S { rpc Watch(Empty) returns (stream Empty) { option (flowforge.mesh.v1.policy) = { ${policy} }; } }`
const service = (name: string, options: string, policy = good, method = 'Do') =>
  `service ${name} { option (flowforge.mesh.v1.service_policy) = { ${options} };
   rpc ${method}(Empty) returns (Empty) { option (flowforge.mesh.v1.policy) = { ${policy} }; } }`

/** What is wrong, a contract where it is, and what is said. */
export const refused: [what: string, services: string, problem: RegExp][] = [
  ['no policy', 'service S { rpc Do(Empty) returns (Empty); }', /does not say who may call it.*add .*callers/],
  ['no caller', rpc('timeout: "2s"'), /does not say who may call it/],
  ['an unspecified caller', rpc('callers: COMPONENT_UNSPECIFIED timeout: "2s"'), /no component/],
  ['a caller twice', rpc('callers: [COMPONENT_GATEWAY, COMPONENT_GATEWAY] timeout: "2s"'), /twice/],
  ['itself as caller', rpc('callers: COMPONENT_TASKS timeout: "2s"'), /its own component/],
  ['roles that nobody checks', rpc('callers: COMPONENT_WORKER roles: ROLE_ADMIN timeout: "2s"'), /nobody checks/],
  ['HTTP without the gateway', rpc('callers: COMPONENT_WORKER timeout: "2s"', http), /gateway may not call/],
  ['HTTP without roles', rpc(good, http), /no principal may use/],
  ['a unary RPC without timeout', rpc('callers: COMPONENT_GATEWAY'), /how long it may take/],
  ['a unary RPC with idle timeout', rpc(`${good} idle_timeout: "1s"`), /does not bound it/],
  ['a fractional time', rpc('callers: COMPONENT_GATEWAY timeout: "1.5s"'), /Linkerd cannot read.*1500ms/],
  ['a time without unit', rpc('callers: COMPONENT_GATEWAY timeout: "5"'), /Linkerd cannot read/],
  ['no time at all', rpc('callers: COMPONENT_GATEWAY timeout: "0s"'), /no time at all/],
  ['a stream with timeout', stream(`${good} idle_timeout: "1m"`), /would cut it/],
  ['a stream without idle timeout', stream('callers: COMPONENT_GATEWAY'), /may be silent/],
  [
    'a stream with retries',
    stream('callers: COMPONENT_GATEWAY idle_timeout: "1m" retry: {attempts: 2}'),
    /stream with retries/,
  ],
  ['retries of an unsafe RPC', rpc(`${good} retry: {attempts: 2}`), /twice.*idempotency_level.*request_id/],
  ['no attempt', rpc(`${good} retry: {codes: UNAVAILABLE}`, idempotent), /0 attempts/],
  ['too many attempts', rpc(`${good} retry: {attempts: 4}`, idempotent), /4 attempts.*1 to 3/],
  ['retries on NOT_FOUND', rpc(`${good} retry: {attempts: 2 codes: NOT_FOUND}`, idempotent), /status 5/],
  ['a rate without total', rpc(`${good} rate: {per_identity: 5}`), /without requests_per_second/],
  [
    'more for one than for all',
    rpc(`${good} rate: {requests_per_second: 5 per_identity: 6}`),
    /above requests_per_second/,
  ],
  [
    'a rate of its own in the mesh',
    rpc(`${good} mesh_rate: {requests_per_second: 5}`),
    /limits a port.*service_policy/,
  ],
  ['a certain promise', rpc(`${good} slo: {availability: 1}`), /availability of 1/],
  ['a promise after giving up', rpc(`${good} slo: {latency: "2s"}`), /can never be seen/],
  ['a group that is no label', rpc(`${good} group: "Slow Calls"`), /metric label/],
  [
    'two sizes of one group',
    `${rpc(`${good} concurrency: 1`)}
     ${service('T', '', `${good} concurrency: 2`)}`,
    /same concurrency/,
  ],
  [
    'streams among unary RPCs',
    `${rpc(`${good} group: "x" concurrency: 9`)}
     ${stream('callers: COMPONENT_GATEWAY idle_timeout: "1m" group: "x" concurrency: 9').replace('service S', 'service T')}`,
    /quick calls/,
  ],
  [
    'two rates of one port',
    service('S', 'mesh_rate: {requests_per_second: 5}') + service('T', 'mesh_rate: {requests_per_second: 6}'),
    /one port/,
  ],
  [
    'two breakers of one port',
    service('S', 'breaker: {consecutive_failures: 5 min_penalty: "1s" max_penalty: "2s"}') +
      service('T', 'breaker: {consecutive_failures: 5 min_penalty: "1s" max_penalty: "2s"}'),
    /one port/,
  ],
  ['half a breaker', service('S', 'breaker: {consecutive_failures: 5}'), /not complete/],
  [
    'penalties the wrong way round',
    service('S', 'breaker: {consecutive_failures: 5 min_penalty: "3s" max_penalty: "2s"}'),
    /swap/,
  ],
  ['bad retries by default', service('S', 'retry: {attempts: 9}'), /9 attempts/],
]

/** Every option once, and every default. */
const reference = `
  service Full {
    option (flowforge.mesh.v1.service_policy) = {
      mesh_rate: {requests_per_second: 20 per_identity: 5}
      breaker: {consecutive_failures: 5 min_penalty: "2s" max_penalty: "1m"}
      retry: {attempts: 2 codes: [UNAVAILABLE, INTERNAL]}
      concurrency: 7
      slo: {availability: 0.9 latency: "20ms"}
    };
    rpc Safe(Empty) returns (Empty) {
      option idempotency_level = NO_SIDE_EFFECTS;
      option (google.api.http) = {get: "/v1/safe"};
      option (flowforge.mesh.v1.policy) = {
        callers: [COMPONENT_OPERATOR, COMPONENT_GATEWAY] roles: [ROLE_VIEWER, ROLE_WORKER] timeout: "1500ms"
        rate: {requests_per_second: 9} slo: {latency: "30ms" latency_objective: 0.5}
      };
    }
    rpc Unsafe(Empty) returns (Empty) {
      option (flowforge.mesh.v1.policy) = { callers: COMPONENT_WORKER timeout: "2m" concurrency: 3 group: "slow" };
    }
    rpc Off(Empty) returns (Empty) {
      option idempotency_level = IDEMPOTENT;
      option (flowforge.mesh.v1.policy) = { callers: COMPONENT_ACCOUNTS timeout: "2s" retry: {attempts: 1} };
    }
    rpc ById(WithRequestId) returns (Empty) {
      option (flowforge.mesh.v1.policy) = { callers: COMPONENT_NOTIFICATIONS timeout: "2s" retry: {attempts: 3} };
    }
    rpc Follow(Empty) returns (stream Empty) {
      option idempotency_level = NO_SIDE_EFFECTS;
      option (flowforge.mesh.v1.policy) = { callers: COMPONENT_GATEWAY idle_timeout: "90s" };
    }
  }
  service Bare {
    rpc Watch(Empty) returns (stream Empty) {
      option idempotency_level = NO_SIDE_EFFECTS;
      option (flowforge.mesh.v1.policy) = { callers: COMPONENT_GATEWAY idle_timeout: "1h" };
    }
  }`

const breaker = { consecutiveFailures: 5, minPenaltyMs: 2_000, maxPenaltyMs: 60_000 }
const slo = { availability: 0.9, latencyMs: 20, latencyObjective: 0.99 }
const common = {
  component: 'tasks',
  isStream: false,
  roles: [],
  idempotent: false,
  concurrency: 7,
  group: 'unary',
  breaker,
  slo,
}
const wanted = {
  components: [{ component: 'tasks', meshRate: { requestsPerSecond: 20, perIdentity: 5 }, breaker }],
  methods: [
    {
      ...common,
      path: '/flowforge.tasks.v1.Full/Safe',
      callers: ['operator', 'gateway'],
      roles: ['viewer', 'worker'],
      timeoutMs: 1_500,
      idempotent: true,
      retry: { attempts: 2, codes: ['UNAVAILABLE', 'INTERNAL'], safeBy: 'idempotency_level' },
      rate: { requestsPerSecond: 9 },
      slo: { availability: 0.9, latencyMs: 30, latencyObjective: 0.5 },
    },
    {
      ...common,
      path: '/flowforge.tasks.v1.Full/Unsafe',
      callers: ['worker'],
      timeoutMs: 120_000,
      concurrency: 3,
      group: 'slow',
    },
    { ...common, path: '/flowforge.tasks.v1.Full/Off', callers: ['accounts'], timeoutMs: 2_000, idempotent: true },
    {
      ...common,
      path: '/flowforge.tasks.v1.Full/ById',
      callers: ['notifications'],
      timeoutMs: 2_000,
      retry: { attempts: 3, codes: ['UNAVAILABLE'], safeBy: 'request_id' },
    },
    {
      ...common,
      path: '/flowforge.tasks.v1.Full/Follow',
      isStream: true,
      callers: ['gateway'],
      idleTimeoutMs: 90_000,
      idempotent: true,
      concurrency: 10_000,
      group: 'stream',
    },
    {
      ...common,
      path: '/flowforge.tasks.v1.Bare/Watch',
      isStream: true,
      callers: ['gateway'],
      idleTimeoutMs: 3_600_000,
      idempotent: true,
      concurrency: 10_000,
      group: 'stream',
      slo: { availability: 0.999, latencyMs: 250, latencyObjective: 0.99 },
    },
  ],
}

const compiled = new Map<string, FileRegistry>()

/** The contract of a text, compiled once. */
function contractOf(services: string): FileRegistry {
  let registry = compiled.get(services)
  if (!registry) compiled.set(services, (registry = contracts(services)))
  return registry
}

/** What a reader says about a contract; nothing, if it compiles. */
export function problemsOf(read: (registry: FileRegistry) => Policies, services: string): readonly Problem[] {
  try {
    read(contractOf(services))
    return []
  } catch (error) {
    // Of whichever copy of the reader.
    if (error instanceof Error && error.name === 'PolicyError')
      return (error as Error & { problems: Problem[] }).problems
    throw error
  }
}

/** Whether a reader refuses a contract in the right words, and knows where it stands. */
export function isRefused(read: (registry: FileRegistry) => Policies, services: string, problem: RegExp): boolean {
  const problems = problemsOf(read, services)
  const isPlaced = problems.every(({ source }) => source.file === contractFile && source.line > 0)
  return isPlaced && problem.test(problems.map(({ message, mend }) => `${message}; ${mend}`).join('\n'))
}

/** What a reader makes of the reference contract, and what it must be: plain values to compare. */
export function readReference(read: (registry: FileRegistry) => Policies): { actual: unknown; wanted: unknown } {
  const { methods, components } = read(contractOf(reference))
  const plain = [...methods.values()].map((method) => ({
    ...method,
    // JSON leaves it out: lines are another test's.
    source: undefined,
    callers: [...method.callers],
    roles: [...method.roles],
  }))
  const actual = { components: [...components.values()], methods: plain }
  return { actual: JSON.parse(JSON.stringify(actual)) as unknown, wanted }
}
