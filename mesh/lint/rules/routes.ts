/** Rules about routes on Services and on Servers. */
import { attached, grpcRoutes, httpRoutes, parentServices, routes, services, type Route } from '../lookup.ts'
import { each, type Rule } from '../rule.ts'

const known = ['http', 'kubernetes.io/h2c', 'linkerd.io/opaque', 'linkerd.io/tcp']
const rulesOf = (route: Route) => route.spec.rules ?? []
const matchesOf = (route: Route) => rulesOf(route).flatMap(({ matches }) => matches ?? [])
const filters = ['RequestHeaderModifier', 'ResponseHeaderModifier']

export const routeRules: Rule[] = [
  each('missing-catch-all', 'a Service with some GRPCRoutes and none for the rest', services, (service, all) => {
    const own = attached(all, 'GRPCRoute', service)
    const isComplete = own.some((route) => rulesOf(route).some(({ matches }) => !matches?.length))
    if (own.length === 0 || isComplete) return undefined
    return `has GRPCRoute ${own[0]!.metadata.name}, so every RPC without a route, health included, fails with NOT_FOUND. Add a GRPCRoute with one rule without matches.`
  }),
  each('header-only-match', 'a match by headers alone', grpcRoutes, (route) => {
    if (!matchesOf(route).some(({ method, headers }) => headers?.length && !method?.service && !method?.method))
      return undefined
    return 'matches by headers alone: every RPC of the Service fails with INTERNAL, although the route says Accepted. Name a service or a method beside the header.'
  }),
  each('regular-expression', 'a method matched by a regular expression', grpcRoutes, (route) => {
    if (!matchesOf(route).some(({ method }) => method?.type === 'RegularExpression')) return undefined
    return 'matches a method by a regular expression, which Linkerd does not support: the route is not accepted. Name the methods.'
  }),
  each('unsupported-filter', 'a filter that Linkerd does not have for gRPC', grpcRoutes, (route) => {
    const wrong = rulesOf(route)
      .flatMap(({ filters: own = [] }) => own)
      .find(({ type }) => !filters.includes(type ?? ''))
    if (!wrong) return undefined
    return `has a filter ${wrong.type ?? 'without type'}, which Linkerd does not have on GRPCRoutes: the rule is not applied. Use ${filters.join(' or ')}.`
  }),
  each('too-many-matches', 'more rules or matches than the definitions allow', routes, (route) => {
    const perRule = route.kind === 'GRPCRoute' ? 8 : 64
    const isTooMuch =
      rulesOf(route).length > 16 ||
      rulesOf(route).some(({ matches = [] }) => matches.length > perRule) ||
      matchesOf(route).length >= 128
    if (!isTooMuch) return undefined
    return `has more than 16 rules, ${perRule} matches in a rule or 127 in all: the API server refuses it. Split it, best into one route for each RPC.`
  }),
  each('headless-parent', 'a route on a headless Service', routes, (route, all) => {
    const parent = parentServices(all, route).find((service) => service.spec.clusterIP === 'None')
    if (!parent) return undefined
    return `is attached to the headless Service ${parent.metadata.name}: it is not accepted (NoMatchingParent), so its times and retries do nothing. Use a Service with a cluster IP.`
  }),
  each('mixed-route-kinds', 'an HTTPRoute beside GRPCRoutes', httpRoutes, (route, all) => {
    const parent = parentServices(all, route).find((service) => attached(all, 'GRPCRoute', service).length > 0)
    if (!parent) return undefined
    return `is attached to Service ${parent.metadata.name}, which has GRPCRoutes: those win and this one is Conflicted, so it does nothing. Use one kind for a port.`
  }),
  each('app-protocol', 'an appProtocol that Linkerd does not know', services, (service, all) => {
    const wrong = (service.spec.ports ?? []).find(
      ({ appProtocol }) => appProtocol !== undefined && !known.includes(appProtocol),
    )
    const isGrpc = wrong?.appProtocol === 'grpc' || attached(all, 'GRPCRoute', service).length > 0
    if (!wrong || !isGrpc) return undefined
    return `has appProtocol ${wrong.appProtocol}, which makes the port opaque: no balancing by request, no routes, and UNAVAILABLE on every call where the other side authorizes RPCs. Write kubernetes.io/h2c.`
  }),
  each(
    'stream-with-request-timeout',
    'a stream with a timeout for the whole request',
    grpcRoutes,
    (route, _, { streams }) => {
      const annotations = route.metadata.annotations ?? {}
      const timeout = ['request', 'response'].find((name) => annotations[`timeout.linkerd.io/${name}`] !== undefined)
      const stream = timeout && streamIn(route, streams)
      if (!stream) return undefined
      return `gives the stream ${stream} a ${timeout} timeout, which ends it however busy it is. Use timeout.linkerd.io/idle.`
    },
  ),
]

/** A stream that the route matches: by the contracts, or else by what streams are usually called. */
function streamIn(route: Route, streams: ReadonlySet<string> | undefined): string | undefined {
  const paths = matchesOf(route).map(({ method }) => `/${method?.service ?? '*'}/${method?.method ?? '*'}`)
  const isStream = (path: string) => streams?.has(path) ?? /\/(Watch|Stream|Subscribe|Tail)\w*$/.test(path)
  return paths.find(isStream)?.slice(1)
}
