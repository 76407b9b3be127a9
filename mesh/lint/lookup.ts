/** Questions that several rules ask. */
import {
  hasParent,
  labelsMatch,
  type GrpcMatch,
  type Of,
  type RouteSpec,
  type ServerSpec,
  type ServiceSpec,
} from '../model/objects.ts'
import type { Manifest, Manifests, Pods } from './manifests.ts'

export type Route = Of<RouteSpec<GrpcMatch>> & Manifest

export const servers = (all: Manifests) => all.of<ServerSpec>('Server', 'policy.linkerd.io')
export const services = (all: Manifests) => all.of<ServiceSpec>('Service', '')
export const grpcRoutes = (all: Manifests): Route[] => all.of('GRPCRoute', 'gateway.networking.k8s.io')
export const httpRoutes = (all: Manifests): Route[] => [
  ...all.of<RouteSpec<GrpcMatch>>('HTTPRoute', 'gateway.networking.k8s.io'),
  ...all.of<RouteSpec<GrpcMatch>>('HTTPRoute', 'policy.linkerd.io'),
]
export const routes = (all: Manifests): Route[] => [...grpcRoutes(all), ...httpRoutes(all)]

/** Routes of a kind that name this object as a parent. */
export function attached(all: Manifests, kind: 'GRPCRoute' | 'HTTPRoute', parent: Manifest): Route[] {
  const own = kind === 'GRPCRoute' ? grpcRoutes(all) : httpRoutes(all)
  return own.filter((route) => hasParent(route, parent))
}

/** The Services among a route's parents. */
export function parentServices(all: Manifests, route: Route): (Of<ServiceSpec> & Manifest)[] {
  const names = (route.spec.parentRefs ?? []).filter(({ kind }) => kind === 'Service').map(({ name }) => name)
  return services(all).filter(
    ({ metadata }) => names.includes(metadata.name) && metadata.namespace === route.metadata.namespace,
  )
}

export function selects(server: Of<ServerSpec>, pods: Pods): boolean {
  return server.metadata.namespace === pods.namespace && labelsMatch(server.spec.podSelector, pods.labels)
}

/** The Server that governs a port of pods, by the port's number or name. */
export function serverOf(all: Manifests, pods: Pods, port: number | string): (Of<ServerSpec> & Manifest) | undefined {
  const named = pods.containers
    .flatMap(({ ports = [] }) => ports)
    .find(({ name, containerPort }) => port === name || port === containerPort)
  return servers(all).find(
    (server) => selects(server, pods) && [port, named?.name, named?.containerPort].includes(server.spec.port),
  )
}

export function isInjected(pods: Pods, all: Manifests): boolean {
  const own = pods.annotations['linkerd.io/inject']
  const namespace = all.all.find(({ kind, metadata }) => kind === 'Namespace' && metadata.name === pods.namespace)
  return (own ?? namespace?.metadata.annotations?.['linkerd.io/inject']) === 'enabled'
}

/** Annotations whose name begins so, with what follows it. */
export function annotations({ metadata }: Manifest, prefix: string): [name: string, value: string][] {
  return Object.entries(metadata.annotations ?? {}).flatMap(([key, value]) =>
    key.startsWith(prefix) ? [[key.slice(prefix.length), String(value)] as [string, string]] : [],
  )
}
