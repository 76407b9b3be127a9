/**
 * What the proxies of a component's callers do: one GRPCRoute for each RPC on its Service, with the RPC's own time and
 * retries, and one for everything else. Without the last, every RPC that has no route would be NOT_FOUND.
 */
import type { MethodPolicy } from '../policy/policy.ts'
import { formatDuration } from '../policy/duration.ts'
import type { Served } from './component.ts'
import type { Installation } from './installation.ts'
import { ports } from './ports.ts'
import { metadata } from './references.ts'
import { apis, type Resource, type Value } from './resource.ts'

export function outbound(served: Served, installation: Installation): Resource[] {
  const routes = served.methods.map((method) => {
    const [service = '', name = ''] = method.path.slice(1).split('/')
    const rule = { matches: [{ method: { service, method: name } }] }
    return route(served, `out-${served.names.get(method.path)!}`, rule, annotations(method, installation), installation)
  })
  return [...routes, route(served, 'out-rest', {}, undefined, installation)]
}

/** Linkerd reads these on a route only; on a Service it accepts them unread. */
function annotations(method: MethodPolicy, installation: Installation): { [key: string]: Value } {
  const { timeoutMs, idleTimeoutMs, retry } = method
  const written: { [key: string]: Value } = {}
  const put = (name: string, value: Value | undefined): void => {
    if (value !== undefined) written[name] = value
  }
  if (timeoutMs !== undefined) put('timeout.linkerd.io/request', formatDuration(timeoutMs))
  if (idleTimeoutMs !== undefined) put('timeout.linkerd.io/idle', formatDuration(idleTimeoutMs))
  // A proxy repeats whatever matches the route, so never an RPC that is safe only with a request ID.
  if (retry?.safeBy === 'idempotency_level') {
    const codes = retry.codes.map((code) => code.toLowerCase().replaceAll('_', '-')).join(',')
    put('retry.linkerd.io/grpc', installation.whenMeshRetries(codes))
    // Always with a limit: any retry annotation hides the Service's, and the default is not ours.
    put('retry.linkerd.io/limit', installation.whenMeshRetries(String(retry.attempts - 1)))
  }
  return written
}

function route(
  { component }: Served,
  suffix: string,
  rule: { [key: string]: Value },
  annotated: { [key: string]: Value } | undefined,
  installation: Installation,
): Resource {
  const service = { group: '', kind: 'Service', name: installation.serviceName(component), port: ports.grpc }
  const backend = { name: installation.serviceName(component), port: ports.grpc }
  return {
    apiVersion: apis.gateway,
    kind: 'GRPCRoute',
    metadata: { ...metadata(component, suffix, installation), ...(annotated ? { annotations: annotated } : {}) },
    spec: { parentRefs: [service], rules: [{ ...rule, backendRefs: [backend] }] },
  }
}
