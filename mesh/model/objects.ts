/** The parts of Kubernetes objects that Linkerd's control plane reads, and how it finds them. */
import type { KubernetesObject } from '../kubernetes.ts'

export interface Reference {
  group?: string
  kind?: string
  name: string
  namespace?: string
  port?: number
}

export interface ServerSpec {
  podSelector?: { matchLabels?: Record<string, string>; matchExpressions?: unknown[] }
  port: number | string
  proxyProtocol?: string
  accessPolicy?: string
}

export interface GrpcMatch {
  method?: { type?: string; service?: string; method?: string }
  headers?: unknown[]
}

export interface HttpMatch {
  path?: { type?: string; value?: string }
  method?: string
  headers?: unknown[]
}

export interface RouteSpec<M> {
  parentRefs?: Reference[]
  rules?: { matches?: M[]; filters?: { type?: string }[]; backendRefs?: Reference[] }[]
}

export interface AuthorizationSpec {
  targetRef: Reference
  requiredAuthenticationRefs: Reference[]
}

export interface RateLimitSpec {
  targetRef: Reference
  total?: { requestsPerSecond: number }
  identity?: { requestsPerSecond: number }
  overrides?: { requestsPerSecond: number; clientRefs: Reference[] }[]
}

export interface ServiceSpec {
  clusterIP?: string
  ports?: { name?: string; port: number; targetPort?: number | string; appProtocol?: string }[]
}

/** An object whose `spec` is known to be of a kind. */
export type Of<S> = KubernetesObject & { spec: S }

/** All objects of a kind, of any API group that ends as given. */
export function ofKind<S>(objects: KubernetesObject[], kind: string, group: string): Of<S>[] {
  return objects.filter((one) => one.kind === kind && groupOf(one.apiVersion) === group) as Of<S>[]
}

/** `policy.linkerd.io/v1alpha1` → `policy.linkerd.io`; `v1` → the core group, which has no name. */
function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.split('/')[0]! : ''
}

/** Routes of a kind whose parent this is. */
export function routesOf<M>(
  objects: KubernetesObject[],
  kind: string,
  parent: KubernetesObject,
  port?: number,
): Of<RouteSpec<M>>[] {
  const routes = ofKind<RouteSpec<M>>(objects, kind, 'gateway.networking.k8s.io')
  return routes.filter((route) => hasParent(route, parent, port))
}

/** Whether an object is a parent of a route; one in another namespace never is. */
export function hasParent(
  { metadata, spec }: Of<RouteSpec<unknown>>,
  parent: KubernetesObject,
  port?: number,
): boolean {
  return (
    metadata.namespace === parent.metadata.namespace &&
    (spec.parentRefs ?? []).some(
      (ref) =>
        ref.kind === parent.kind &&
        ref.name === parent.metadata.name &&
        (ref.port === undefined || port === undefined || ref.port === port),
    )
  )
}

export function labelsMatch(selector: ServerSpec['podSelector'], labels: Record<string, string>): boolean {
  return Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value)
}
