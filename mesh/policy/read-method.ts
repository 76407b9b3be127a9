/** One RPC's policy: what it declares, what its service does, and the defaults. */
import type { DescMethod } from '@bufbuild/protobuf'
import { MethodOptions_IdempotencyLevel as Idempotency } from '@bufbuild/protobuf/wkt'
import { policyFields, type DeclaredPolicy, type DeclaredServicePolicy, type Declarations } from './declared.ts'
import { defaultConcurrency } from './defaults.ts'
import {
  components,
  roles,
  type BreakerPolicy,
  type Component,
  type MethodPolicy,
  type RetryPolicy,
  type Role,
} from './policy.ts'
import type { Problem } from './problem.ts'
import { readRate, readRetry, readSlo, readTime, type Report } from './read-fields.ts'
import { methodLine } from './source.ts'

/** What reading one method needs to know about its surroundings. */
export interface MethodScope {
  declarations: Declarations
  /** Who serves the method. */
  component: Component
  service: DeclaredServicePolicy
  breaker: BreakerPolicy
  problems: Problem[]
}

export function readMethod(method: DescMethod, scope: MethodScope): MethodPolicy {
  const { declarations, component, service, breaker, problems } = scope
  const declared = declarations.ofMethod(method)
  const subject = `${method.parent.typeName}/${method.name}`
  const reporter = (field?: keyof typeof policyFields): Report => {
    const number = field && policyFields[field]
    return (message, mend) =>
      problems.push({ source: methodLine(method, declarations.policyNumber, number), subject, message, mend })
  }
  const isStream = method.methodKind !== 'unary'
  const times = readTimes(declared, isStream, reporter)
  const slo = readSlo(declared.slo, service.slo, reporter('slo'))
  if (times.timeoutMs !== undefined && slo.latencyMs >= times.timeoutMs) {
    reporter('slo')(
      `promises an answer within ${slo.latencyMs} ms but gives up after ${times.timeoutMs} ms, so a late answer can never be seen`,
      'raise timeout or lower slo.latency',
    )
  }
  if (declared.meshRate) {
    reporter('meshRate')(
      'has a mesh_rate of its own, but Linkerd limits a port and never an RPC',
      'declare service_policy.mesh_rate for all RPCs of the component, or rate for a limit in process',
    )
  }
  const group = readGroup(declared.group, isStream, reporter('group'))
  return {
    path: `/${subject}`,
    component,
    isStream,
    callers: readCallers(declared, component, reporter('callers')),
    roles: readRoles(method, declared, declarations, reporter('roles')),
    ...times,
    idempotent: isIdempotent(method),
    retry: readRetries(method, declared, service, reporter('retry')),
    rate: readRate('rate', declared.rate, reporter('rate')),
    concurrency:
      declared.concurrency ||
      (group === 'unary' && service.concurrency) ||
      (isStream ? defaultConcurrency.stream : defaultConcurrency.unary),
    group,
    breaker,
    slo,
    source: methodLine(method),
  }
}

function readCallers(declared: DeclaredPolicy, component: Component, report: Report): Set<Component> {
  const callers = declared.callers.map((number) => components[number - 1])
  if (callers.length === 0) report('does not say who may call it', 'add (flowforge.mesh.v1.policy).callers')
  if (callers.includes(undefined)) report('names a caller that is no component', 'use a value of Component')
  if (new Set(callers).size < callers.length) report('names a caller twice', 'name each caller once')
  if (callers.includes(component)) report('lets its own component call it', `take ${component} out of callers`)
  return new Set(callers.filter((caller) => caller !== undefined))
}

function readRoles(
  method: DescMethod,
  declared: DeclaredPolicy,
  declarations: Declarations,
  report: Report,
): Set<Role> {
  const named = declared.roles.map((number) => roles[number - 1])
  const fromGateway = declared.callers.includes(components.indexOf('gateway') + 1)
  if (named.includes(undefined)) report('names a role that there is not', 'use a value of Role')
  if (new Set(named).size < named.length) report('names a role twice', 'name each role once')
  if (named.length > 0 && !fromGateway) {
    report('asks for roles that nobody checks', 'add COMPONENT_GATEWAY to callers or drop roles')
  }
  if (declarations.hasHttp(method)) {
    if (!fromGateway) report('has an HTTP binding that the gateway may not call', 'add COMPONENT_GATEWAY to callers')
    if (named.length === 0) report('has an HTTP binding that no principal may use', 'add roles')
  }
  return new Set(named.filter((role) => role !== undefined))
}

function readTimes(
  declared: DeclaredPolicy,
  isStream: boolean,
  reporter: (field: 'timeout' | 'idleTimeout') => Report,
): Pick<MethodPolicy, 'timeoutMs' | 'idleTimeoutMs'> {
  const timeoutMs = readTime('timeout', declared.timeout, reporter('timeout'))
  const idleTimeoutMs = readTime('idle_timeout', declared.idleTimeout, reporter('idleTimeout'))
  if (isStream) {
    if (declared.timeout !== '')
      reporter('timeout')('is a stream with a timeout, which would cut it however busy it is', 'use idle_timeout')
    if (declared.idleTimeout === '')
      reporter('idleTimeout')('does not say how long the stream may be silent', 'add idle_timeout')
  } else {
    if (declared.timeout === '') reporter('timeout')('does not say how long it may take', 'add timeout')
    if (declared.idleTimeout !== '')
      reporter('idleTimeout')('is unary with an idle_timeout, which does not bound it', 'use timeout')
  }
  return isStream ? { timeoutMs: undefined, idleTimeoutMs } : { timeoutMs, idleTimeoutMs: undefined }
}

function isIdempotent(method: DescMethod): boolean {
  return [Idempotency.IDEMPOTENT, Idempotency.NO_SIDE_EFFECTS].includes(method.idempotency)
}

function readRetries(
  method: DescMethod,
  declared: DeclaredPolicy,
  service: DeclaredServicePolicy,
  report: Report,
): RetryPolicy | undefined {
  const isStream = method.methodKind !== 'unary'
  const hasRequestId = method.input.fields.some(
    ({ name, fieldKind }) => name === 'request_id' && fieldKind === 'scalar',
  )
  const idempotent = isIdempotent(method)
  if (!declared.retry) {
    const isSafe = !isStream && idempotent
    const inherited = isSafe && service.retry ? readRetry(service.retry, report) : undefined
    return inherited && { ...inherited, safeBy: 'idempotency_level' }
  }
  const own = readRetry(declared.retry, report)
  if (!own) return undefined
  if (isStream) {
    report(
      'is a stream with retries, which no layer can make once data has flowed',
      'drop retry: its reader resumes it',
    )
    return undefined
  }
  if (idempotent) return { ...own, safeBy: 'idempotency_level' }
  if (hasRequestId) return { ...own, safeBy: 'request_id' }
  report(
    'retries although a repeat may do its work twice',
    'set idempotency_level if that is true of it, give its request a request_id, or drop retry',
  )
  return undefined
}

function readGroup(declared: string, isStream: boolean, report: Report): string {
  if (declared === '') return isStream ? 'stream' : 'unary'
  if (/^[a-z][a-z0-9-]{0,30}$/.test(declared)) return declared
  report(`is in the group "${declared}", which cannot be a metric label`, 'use up to 31 of a-z, 0-9 and -')
  return isStream ? 'stream' : 'unary'
}
