import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { PolicyError } from './problem.ts'
import { loadPolicies, readPolicies } from './read-policies.ts'
import { contractFile, contracts, lineIn } from './testing/contracts.ts'

/** A service with one unary RPC whose policy is given. */
function rpc(policy: string, settings = '', input = 'Empty'): string {
  return `service S {
    rpc Do(${input}) returns (Empty) {
      ${settings}
      option (flowforge.mesh.v1.policy) = { ${policy} };
    }
  }`
}

function problemsOf(services: string): PolicyError['problems'] {
  try {
    readPolicies(contracts(services))
  } catch (error) {
    if (error instanceof PolicyError) return error.problems
    throw error
  }
  return []
}

const good = 'callers: COMPONENT_GATEWAY\ntimeout: "2s"'
const idempotent = 'option idempotency_level = IDEMPOTENT;'
const http = 'option (google.api.http) = {get: "/v1/x"};'
const stream = (policy: string) =>
  `service S { rpc Watch(Empty) returns (stream Empty) { option (flowforge.mesh.v1.policy) = { ${policy} }; } }`
const service = (name: string, options: string, policy = good, method = 'Do') =>
  `service ${name} { option (flowforge.mesh.v1.service_policy) = { ${options} };
   rpc ${method}(Empty) returns (Empty) { option (flowforge.mesh.v1.policy) = { ${policy} }; } }`

const refused: [what: string, services: string, problem: RegExp][] = [
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

for (const [what, services, problem] of refused) {
  test(`a contract with ${what} does not compile`, () => {
    const problems = problemsOf(services)
    ok(problems.length > 0, 'it compiles')
    match(problems.map(({ message, mend }) => `${message}; ${mend}`).join('\n'), problem)
    for (const { source } of problems) equal(source.file, contractFile)
  })
}

test('a problem names the line of the field that it is about', () => {
  const services = rpc('callers: COMPONENT_GATEWAY\n\n\ntimeout: "1.5s"')
  const [problem] = problemsOf(services)
  equal(problem?.source.line, lineIn(services, 'timeout:'))
  const error = new PolicyError([problem!])
  equal(
    error.message,
    `${contractFile}:${problem?.source.line}: flowforge.tasks.v1.S/Do has timeout "1.5s", which is a time that Linkerd cannot read; write an integer and one of ms, s, m, h, such as "1500ms"`,
  )
})

test('a service of a package that nobody serves does not compile', () => {
  const registry = contracts(rpc(good))
  for (const file of registry.files)
    if (file.proto.package === 'flowforge.tasks.v1') file.proto.package = 'flowforge.billing.v1'
  throws(() => readPolicies(registry), /served by billing, which is no component/)
})

test('retries are inherited by RPCs that may be repeated and by no others', () => {
  const services = `service S {
    option (flowforge.mesh.v1.service_policy) = { retry: {attempts: 2 codes: [UNAVAILABLE, INTERNAL]} };
    rpc Safe(Empty) returns (Empty) { ${idempotent} option (flowforge.mesh.v1.policy) = { ${good} }; }
    rpc Unsafe(Empty) returns (Empty) { option (flowforge.mesh.v1.policy) = { ${good} }; }
    rpc Off(Empty) returns (Empty) { ${idempotent} option (flowforge.mesh.v1.policy) = { ${good} retry: {attempts: 1} }; }
    rpc ById(WithRequestId) returns (Empty) { option (flowforge.mesh.v1.policy) = { ${good} retry: {attempts: 3} }; }
  }`
  const { methods } = readPolicies(contracts(services))
  const retryOf = (name: string) => methods.get(`/flowforge.tasks.v1.S/${name}`)!.retry
  deepEqual(retryOf('Safe'), { attempts: 2, codes: ['UNAVAILABLE', 'INTERNAL'], safeBy: 'idempotency_level' })
  equal(retryOf('Unsafe'), undefined)
  equal(retryOf('Off'), undefined)
  deepEqual(retryOf('ById'), { attempts: 3, codes: ['UNAVAILABLE'], safeBy: 'request_id' })
})

test('what an RPC leaves open, its service says, and else the defaults', () => {
  const services = `service S {
    option (flowforge.mesh.v1.service_policy) = { concurrency: 7 slo: {availability: 0.9 latency: "20ms"} };
    rpc Do(Empty) returns (Empty) { option (flowforge.mesh.v1.policy) = { ${good} slo: {latency: "30ms"} }; }
  }`
  const { methods, components } = readPolicies(contracts(services))
  const method = methods.get('/flowforge.tasks.v1.S/Do')!
  deepEqual(method.slo, { availability: 0.9, latencyMs: 30, latencyObjective: 0.99 })
  deepEqual([method.concurrency, method.group], [7, 'unary'])
  deepEqual(components.get('tasks')?.breaker, { consecutiveFailures: 7, minPenaltyMs: 1_000, maxPenaltyMs: 60_000 })
})

test("FlowForge's own contracts compile, and every RPC is bounded", () => {
  const { methods, components } = loadPolicies()
  ok(methods.size >= 50)
  deepEqual([...components.keys()].sort(), ['accounts', 'notifications', 'tasks'])
  for (const { path, callers, timeoutMs, idleTimeoutMs, source } of methods.values()) {
    ok(callers.size > 0 && (timeoutMs ?? idleTimeoutMs ?? 0) > 0, path)
    ok(source.line > 0, path)
  }
})
