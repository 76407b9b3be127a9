/**
 * What the proxy of a caller does with a call to a Service: where it goes, how long it may take, how often it is made.
 * The facts F3, F4, F5, F6 and F10 of mesh/README.md are here.
 */
import type { KubernetesObject } from '../kubernetes.ts'
import { parseDuration } from '../policy/duration.ts'
import { ofKind, routesOf, type GrpcMatch, type Of, type RouteSpec, type ServiceSpec } from './objects.ts'
import { bestRoute, grpcFit } from './route-match.ts'
import { codes } from './verdict.ts'

/** How a call leaves. `code` is set when it does not. */
export interface OutboundVerdict {
  code: number
  timeoutMs?: number
  responseTimeoutMs?: number
  idleTimeoutMs?: number
  /** Attempts after the first, and the statuses after which they are made. */
  retry?: { limit: number; codes: string[] }
}

const known = ['http', 'kubernetes.io/h2c']

/** The way of all calls to one port of a Service. */
export function outboundModel(
  objects: KubernetesObject[],
  service: Of<ServiceSpec>,
  port: number,
): (path: string) => OutboundVerdict {
  const servicePort = service.spec.ports?.find((one) => one.port === port)
  const refuse = (code: number) => () => ({ code })
  if (!servicePort) return refuse(codes.UNAVAILABLE)
  // F4: with any other protocol the connection is passed through as bytes, and a port that judges RPCs refuses those.
  if (servicePort.appProtocol !== undefined && !known.includes(servicePort.appProtocol))
    return refuse(codes.UNAVAILABLE)
  // A ServiceProfile wins over routes and annotations, whatever they say.
  const profiles = ofKind(objects, 'ServiceProfile', 'linkerd.io')
  if (profiles.some(({ metadata }) => metadata.name.startsWith(`${service.metadata.name}.`))) return refuse(codes.OK)
  // A headless Service cannot be a parent: its routes are there but select nothing.
  const routes = service.spec.clusterIP === 'None' ? [] : routesOf<GrpcMatch>(objects, 'GRPCRoute', service, port)
  // F5: without a GRPCRoute the proxy does not speak gRPC here, so the Service's gRPC retries are never read.
  if (routes.length === 0) return refuse(codes.OK)
  // F3: a match on headers alone makes the whole client policy invalid, for every RPC.
  if (routes.some(hasHeaderOnlyMatch)) return refuse(codes.INTERNAL)
  return (path) => {
    const route = bestRoute(routes, grpcFit(path))
    // F3: as soon as there is one route, what no route takes goes nowhere.
    if (!route) return { code: codes.NOT_FOUND }
    return { code: codes.OK, ...annotated(route.metadata.annotations ?? {}, service.metadata.annotations ?? {}) }
  }
}

function hasHeaderOnlyMatch({ spec }: Of<RouteSpec<GrpcMatch>>): boolean {
  const matches = (spec.rules ?? []).flatMap(({ matches }) => matches ?? [])
  return matches.some(({ method }) => method?.service === undefined && method?.method === undefined)
}

/** F5, F10: retry annotations of a route hide all of the Service's; without a limit there is one retry. */
function annotated(own: Record<string, string>, service: Record<string, string>): Omit<OutboundVerdict, 'code'> {
  const time = (name: string) =>
    parseDuration(own[`timeout.linkerd.io/${name}`] ?? service[`timeout.linkerd.io/${name}`] ?? '')
  const verdict: Omit<OutboundVerdict, 'code'> = {}
  const [request, response, idle] = ['request', 'response', 'idle'].map(time)
  if (request !== undefined) verdict.timeoutMs = request
  if (response !== undefined) verdict.responseTimeoutMs = response
  if (idle !== undefined) verdict.idleTimeoutMs = idle
  const source = Object.keys(own).some((key) => key.startsWith('retry.linkerd.io/')) ? own : service
  const statuses = source['retry.linkerd.io/grpc']
  if (statuses !== undefined) {
    verdict.retry = { limit: Number(source['retry.linkerd.io/limit'] ?? 1), codes: statuses.split(',') }
  }
  return verdict
}
