/** What a component's proxy lets in: a Server for its gRPC port, one route and one authorization for each RPC. */
import { components, type Component } from '../policy/policy.ts'
import { builtinServices } from './builtin.ts'
import type { Served } from './component.ts'
import type { Installation } from './installation.ts'
import { metadata, objectName, serverRef } from './references.ts'
import { apis, groupOf, type Resource, type Value } from './resource.ts'

/** One route and who may use it. */
interface InboundRoute {
  name: string
  rpcs: { service: string; method?: string }[]
  callers: ReadonlySet<Component>
}

/**
 * No route is a catch-all: an RPC that is not declared is NOT_FOUND, as in process. Callers are named in one
 * MeshTLSAuthentication for each set of callers, because an AuthorizationPolicy takes only one reference of the kind.
 */
export function inbound(served: Served, installation: Installation): Resource[] {
  const { component, methods, names } = served
  const routes: InboundRoute[] = methods.map(({ path, callers }) => {
    const [service = '', method = ''] = path.slice(1).split('/')
    return { name: names.get(path)!, rpcs: [{ service, method }], callers }
  })
  for (const { name, services } of builtinServices) {
    routes.push({ name, rpcs: services.map((service) => ({ service })), callers: new Set(components) })
  }
  const authentications = new Map<string, Resource>()
  for (const { callers } of routes) {
    const name = callersName(callers)
    if (!authentications.has(name)) authentications.set(name, authentication(component, callers, installation))
  }
  return [
    server(served, installation),
    ...authentications.values(),
    ...routes.flatMap((route) => [
      inboundRoute(served, route, installation),
      authorization(served, route, installation),
    ]),
  ]
}

function server({ component, protocol }: Served, installation: Installation): Resource {
  return {
    apiVersion: apis.linkerdServer,
    kind: 'Server',
    metadata: metadata(component, 'grpc', installation),
    spec: {
      podSelector: { matchLabels: installation.selectorLabels(component) },
      port: 'grpc',
      proxyProtocol: protocol,
      accessPolicy: installation.accessPolicy,
    },
  }
}

function authentication(component: Component, callers: ReadonlySet<Component>, installation: Installation): Resource {
  return {
    apiVersion: apis.linkerd,
    kind: 'MeshTLSAuthentication',
    metadata: metadata(component, callersName(callers), installation),
    spec: { identities: components.filter((one) => callers.has(one)).map((one) => installation.identity(one)) },
  }
}

function inboundRoute(
  { component, protocol }: Served,
  { name, rpcs }: InboundRoute,
  installation: Installation,
): Resource {
  const isGrpc = protocol === 'gRPC'
  const matches = rpcs.map(isGrpc ? grpcMatch : httpMatch)
  return {
    apiVersion: apis.gateway,
    kind: isGrpc ? 'GRPCRoute' : 'HTTPRoute',
    metadata: metadata(component, `in-${name}`, installation),
    spec: { parentRefs: [serverRef(component, installation)], rules: [{ matches }] },
  }
}

/** All RPCs of a service where no method is named. */
function grpcMatch(rpc: InboundRoute['rpcs'][number]): Value {
  return { method: { ...rpc } }
}

function httpMatch({ service, method }: InboundRoute['rpcs'][number]): Value {
  const path =
    method === undefined
      ? { type: 'PathPrefix', value: `/${service}` }
      : { type: 'Exact', value: `/${service}/${method}` }
  return { path, method: 'POST' }
}

function authorization(
  { component, protocol }: Served,
  { name, callers }: InboundRoute,
  installation: Installation,
): Resource {
  return {
    apiVersion: apis.linkerd,
    kind: 'AuthorizationPolicy',
    metadata: metadata(component, `in-${name}`, installation),
    spec: {
      targetRef: {
        group: groupOf(apis.gateway),
        kind: protocol === 'gRPC' ? 'GRPCRoute' : 'HTTPRoute',
        name: objectName(component, `in-${name}`, installation),
      },
      requiredAuthenticationRefs: [
        {
          group: groupOf(apis.linkerd),
          kind: 'MeshTLSAuthentication',
          name: objectName(component, callersName(callers), installation),
        },
      ],
    },
  }
}

/** Names a set of callers by its members. */
function callersName(callers: ReadonlySet<Component>): string {
  if (callers.size === components.length) return 'from-all'
  return `from-${components.filter((one) => callers.has(one)).join('-')}`
}
