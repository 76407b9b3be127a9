/** Rules about Servers and what is attached to them. */
import type { RateLimitSpec } from '../../model/objects.ts'
import { attached, isInjected, selects, serverOf, servers } from '../lookup.ts'
import type { Manifests, Probe } from '../manifests.ts'
import { each, type Rule } from '../rule.ts'

const protocols = ['unknown', 'HTTP/1', 'HTTP/2', 'gRPC', 'opaque', 'TLS']
const limits = (all: Manifests) => all.of<RateLimitSpec>('HTTPLocalRateLimitPolicy', 'policy.linkerd.io')

export const serverRules: Rule[] = [
  each('rate-on-grpc-server', 'a rate limit on a gRPC Server', limits, (limit, all) => {
    const { targetRef } = limit.spec
    const server = servers(all).find(({ metadata }) => metadata.name === targetRef.name)
    if (server?.spec.proxyProtocol !== 'gRPC') return undefined
    return 'is accepted and dropped, because its Server speaks gRPC: nothing is limited. Make the Server HTTP/2 and its routes HTTPRoutes.'
  }),
  each('identity-rate-above-total', 'a limit for one caller above the limit for all', limits, (limit) => {
    const { total, identity, overrides = [] } = limit.spec
    const each = [identity, ...overrides].map((one) => one?.requestsPerSecond ?? 0)
    if (!total || Math.max(...each) <= total.requestsPerSecond) return undefined
    return `is refused by Linkerd's webhook: no caller may have more than the ${total.requestsPerSecond} of all. Raise the total or lower the others.`
  }),
  each('route-kind-mismatch', 'routes of a kind that the Server does not read', servers, (server, all) => {
    const isGrpc = server.spec.proxyProtocol === 'gRPC'
    const unread = attached(all, isGrpc ? 'HTTPRoute' : 'GRPCRoute', server)
    if (unread.length === 0) return undefined
    return `speaks ${server.spec.proxyProtocol ?? 'unknown'}, so it never reads ${unread[0]!.kind} ${unread[0]!.metadata.name}, although that says Accepted: its calls are judged without it, which is PERMISSION_DENIED under deny. ${isGrpc ? 'Write GRPCRoutes.' : 'Write HTTPRoutes, or make the Server gRPC.'}`
  }),
  each('unknown-protocol', 'a proxyProtocol that there is not', servers, (server) => {
    const { proxyProtocol = 'unknown' } = server.spec
    if (protocols.includes(proxyProtocol)) return undefined
    return `has proxyProtocol ${proxyProtocol}, which Linkerd's webhook refuses; use one of ${protocols.join(', ')}.`
  }),
  each('overlapping-servers', 'two Servers for one port of one pod', servers, (server, all) => {
    const others = servers(all).filter(
      (one) => one.metadata.name !== server.metadata.name && one.spec.port === server.spec.port,
    )
    const rival = others.find((one) => all.pods().some((pods) => selects(one, pods) && selects(server, pods)))
    if (!rival) return undefined
    return `and Server ${rival.metadata.name} select the same pods and port; the webhook refuses the later one, or the older one wins. Keep one.`
  }),
  each('unauthorized-route', 'a route that nobody may use', servers, (server, all) => {
    if ((server.spec.accessPolicy ?? 'deny') !== 'deny') return undefined
    const targets = all
      .of<{ targetRef: { kind: string; name: string } }>('AuthorizationPolicy', 'policy.linkerd.io')
      .map((one) => one.spec.targetRef)
    const has = (kind: string, name: string) => targets.some((ref) => ref.kind === kind && ref.name === name)
    if (has('Server', server.metadata.name) || targets.some(({ kind }) => kind === 'Namespace')) return undefined
    const own = [...attached(all, 'GRPCRoute', server), ...attached(all, 'HTTPRoute', server)]
    const closed = own.find(({ kind, metadata }) => !has(kind, metadata.name))
    if (!closed) return undefined
    return `denies by default and no AuthorizationPolicy targets its ${closed.kind} ${closed.metadata.name}: every call is PERMISSION_DENIED. Add one, or drop the route.`
  }),
  probeRule('grpc-probe', 'a gRPC probe under policy', (probe, pods, all) => {
    if (!probe.grpc || !isInjected(pods, all)) return undefined
    const server = serverOf(all, pods, probe.grpc.port)
    const isDenied = server
      ? (server.spec.accessPolicy ?? 'deny') === 'deny'
      : pods.annotations['config.linkerd.io/default-inbound-policy'] === 'deny'
    if (!isDenied || (server && hasNetworkAuthentication(all))) return undefined
    return 'has a gRPC probe on a port that denies by default: Linkerd lets only httpGet probes of the kubelet through, so the pod never becomes ready. Probe over HTTP on an admin port, or allow health from 0.0.0.0/0 and ::/0.'
  }),
  probeRule('probe-on-routed-server', 'an HTTP probe on a Server that has other routes', (probe, pods, all) => {
    const { path = '/', port } = probe.httpGet ?? {}
    const server = port === undefined ? undefined : serverOf(all, pods, port)
    const own = server ? attached(all, 'HTTPRoute', server) : []
    if (own.length === 0 || !isInjected(pods, all)) return undefined
    const values = own.flatMap((route) =>
      (route.spec.rules ?? []).flatMap(({ matches }) => (matches ?? []) as { path?: { value?: string } }[]),
    )
    if (values.length === 0 || values.some((match) => path.startsWith(match.path?.value ?? '/'))) return undefined
    return `is probed at ${path} of a port whose Server has routes for other paths: the probe gets 404 and the pod never becomes ready. Add a route for ${path}, or probe a port without a Server.`
  }),
]

function probeRule(
  id: string,
  title: string,
  judge: (probe: Probe, pods: ReturnType<Manifests['pods']>[number], all: Manifests) => string | undefined,
): Rule {
  return {
    id,
    title,
    judge: (all) =>
      all.pods().flatMap((pods) => {
        const probes = pods.containers.flatMap((one) => [one.livenessProbe, one.readinessProbe, one.startupProbe])
        const messages = probes.flatMap((probe) => (probe && judge(probe, pods, all)) ?? [])
        return messages.slice(0, 1).map((message) => ({ object: pods.owner, message }))
      }),
  }
}

function hasNetworkAuthentication(all: Manifests): boolean {
  return all.of('NetworkAuthentication', 'policy.linkerd.io').length > 0
}
