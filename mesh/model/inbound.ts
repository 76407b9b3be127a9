/**
 * What Linkerd's inbound proxy does with a call, from the objects alone:
 *
 *     route (NOT_FOUND) → authorization (PERMISSION_DENIED) → filters → rate limit (RESOURCE_EXHAUSTED)
 *
 * Read from linkerd2 and its proxy, and seen on a real one; the facts F1, F2, F3, F7 and F9 of mesh/README.md are here.
 */
import type { KubernetesObject } from '../kubernetes.ts'
import {
  labelsMatch,
  ofKind,
  routesOf,
  type AuthorizationSpec,
  type GrpcMatch,
  type HttpMatch,
  type Of,
  type RateLimitSpec,
  type Reference,
  type ServerSpec,
} from './objects.ts'
import { RateModel } from './rate.ts'
import { bestRoute, grpcFit, httpFit } from './route-match.ts'
import { codes } from './verdict.ts'

/** A pod as a proxy sees it. */
export interface Pod {
  namespace: string
  labels: Record<string, string>
  /** The container port that is called. */
  port: string
  /** Of the pod's namespace or annotation, for ports that no Server selects. */
  defaultPolicy: 'deny' | 'all-unauthenticated'
  trustDomain: string
}

/** One call that arrives. Without an identity it comes from outside the mesh. */
export interface InboundCall {
  path: string
  identity: string | undefined
  atNs: number
}

/** Where a path leads, and the policies of which one has to let its caller in. */
interface Destination {
  isFound: boolean
  authorizations: Of<AuthorizationSpec>[]
}

/** A proxy in front of one port of one pod; it remembers its rate limits. */
export class InboundModel {
  readonly #objects: KubernetesObject[]
  readonly #pod: Pod
  readonly #server: Of<ServerSpec> | undefined
  readonly #policies: Of<AuthorizationSpec>[]
  readonly #rate: RateModel | undefined
  /** What was found out about a path already; objects do not change. */
  readonly #known = new Map<string, Destination>()

  constructor(objects: KubernetesObject[], pod: Pod) {
    this.#objects = objects.filter(({ metadata }) => metadata.namespace === pod.namespace)
    this.#pod = pod
    this.#policies = ofKind<AuthorizationSpec>(this.#objects, 'AuthorizationPolicy', 'policy.linkerd.io')
    const servers = ofKind<ServerSpec>(this.#objects, 'Server', 'policy.linkerd.io')
    this.#server = servers.find(({ spec }) => spec.port === pod.port && labelsMatch(spec.podSelector, pod.labels))
    const limit = ofKind<RateLimitSpec>(this.#objects, 'HTTPLocalRateLimitPolicy', 'policy.linkerd.io').find(
      ({ spec }) => spec.targetRef.kind === 'Server' && spec.targetRef.name === this.#server?.metadata.name,
    )
    // F1: a gRPC Server has no place for a rate limit; the policy is accepted and dropped.
    if (limit && this.#protocol !== 'gRPC') this.#rate = new RateModel(limit.spec, (ref) => this.#accountIdentity(ref))
  }

  get #protocol(): string {
    return this.#server?.spec.proxyProtocol ?? 'unknown'
  }

  /** The status of the call as its caller sees it; 0 when it reaches the process. */
  judge(call: InboundCall): number {
    if (!this.#server) return this.#pod.defaultPolicy === 'deny' ? codes.PERMISSION_DENIED : codes.OK
    // Passed through as bytes: nobody looks at RPCs, only the port's own authorization holds.
    if (this.#protocol === 'opaque' || this.#protocol === 'TLS') {
      return this.#isAuthorized(this.#authorizationsOf(this.#server), call) ? codes.OK : codes.UNAVAILABLE
    }
    const { isFound, authorizations } = this.#destination(call.path)
    if (!isFound) return codes.NOT_FOUND
    if (!this.#isAuthorized(authorizations, call)) return codes.PERMISSION_DENIED
    if (this.#rate && !this.#rate.admits(call.identity, call.atNs)) return codes.RESOURCE_EXHAUSTED
    return codes.OK
  }

  #destination(path: string): Destination {
    let known = this.#known.get(path)
    if (!known) this.#known.set(path, (known = this.#find(path)))
    return known
  }

  /** F2: only routes of the protocol's own kind are looked at; without any there is one default route for everything. */
  #find(path: string): Destination {
    const server = this.#server!
    const isGrpc = this.#protocol === 'gRPC'
    const grpc = isGrpc ? routesOf<GrpcMatch>(this.#objects, 'GRPCRoute', server) : []
    const http = isGrpc ? [] : routesOf<HttpMatch>(this.#objects, 'HTTPRoute', server)
    const route = bestRoute(grpc, grpcFit(path)) ?? bestRoute(http, httpFit(path))
    return {
      isFound: grpc.length + http.length === 0 || route !== undefined,
      authorizations: [...this.#authorizationsOf(server), ...(route ? this.#authorizationsOf(route) : [])],
    }
  }

  #authorizationsOf(target: KubernetesObject): Of<AuthorizationSpec>[] {
    return this.#policies.filter(
      ({ spec }) =>
        (spec.targetRef.kind === target.kind && spec.targetRef.name === target.metadata.name) ||
        (target.kind === 'Server' &&
          spec.targetRef.kind === 'Namespace' &&
          spec.targetRef.name === this.#pod.namespace),
    )
  }

  /** Policies are alternatives; the Server's access policy holds where none targets the Server itself. */
  #isAuthorized(policies: Of<AuthorizationSpec>[], call: InboundCall): boolean {
    if (policies.some(({ spec }) => spec.requiredAuthenticationRefs.every((ref) => this.#proves(ref, call))))
      return true
    const access = this.#server!.spec.accessPolicy ?? 'deny'
    if (access === 'all-unauthenticated' || access === 'cluster-unauthenticated' || access === 'audit') return true
    return (access === 'all-authenticated' || access === 'cluster-authenticated') && call.identity !== undefined
  }

  #proves({ kind, name, namespace }: Reference, { identity }: InboundCall): boolean {
    if (kind === 'ServiceAccount')
      return identity !== undefined && identity === this.#accountIdentity({ name, ...(namespace ? { namespace } : {}) })
    const found = this.#objects.find((one) => one.kind === kind && one.metadata.name === name)
    if (!found) return false
    // Addresses are not part of the model: callers come from the cluster's networks, which these networks hold.
    if (kind === 'NetworkAuthentication') return true
    const { identities = [], identityRefs = [] } = found.spec as { identities?: string[]; identityRefs?: Reference[] }
    if (identity === undefined) return false
    return (
      identities.some(
        (one) => one === '*' || one === identity || (one.startsWith('*.') && identity.endsWith(one.slice(1))),
      ) || identityRefs.some((ref) => ref.kind === 'ServiceAccount' && this.#accountIdentity(ref) === identity)
    )
  }

  #accountIdentity({ name, namespace }: { name: string; namespace?: string }): string {
    return `${name}.${namespace ?? this.#pod.namespace}.serviceaccount.identity.linkerd.${this.#pod.trustDomain}`
  }
}
