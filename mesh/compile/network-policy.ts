/**
 * The call graph as NetworkPolicies: one for each component, naming who may call it and whom it may call over gRPC.
 *
 * Policies add up. The chart's own hold what the contracts do not know: DNS, the database, the mesh's control plane,
 * who watches, and the outside. In a mesh callers arrive at the proxy's port and not at the app's; a rule for the app's
 * port alone would let nobody in.
 */
import type { Edge } from '../graph.ts'
import type { Component } from '../policy/policy.ts'
import type { Installation } from './installation.ts'
import { linkerdPorts, ports } from './ports.ts'
import { metadata } from './references.ts'
import { apis, type Resource, type Value } from './resource.ts'

export function networkPolicy(component: Component, edges: Edge[], installation: Installation): Resource {
  const callers = edges.filter(({ to }) => to === component).map(({ from }) => from)
  const called = edges.filter(({ from }) => from === component).map(({ to }) => to)
  return {
    apiVersion: apis.network,
    kind: 'NetworkPolicy',
    metadata: metadata(component, 'calls', installation),
    spec: {
      podSelector: { matchLabels: installation.selectorLabels(component) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: calls('from', callers, installation),
      egress: calls('to', called, installation),
    },
  }
}

function calls(direction: 'from' | 'to', others: Component[], installation: Installation): Value[] {
  if (others.length === 0) return []
  const peers = others.map((other) => ({ podSelector: { matchLabels: installation.selectorLabels(other) } }))
  const rule = (port: number): Value => ({ [direction]: peers, ports: [{ protocol: 'TCP', port }] })
  return [...installation.whenMeshed(rule(linkerdPorts.inbound)), ...installation.whenPlain(rule(ports.grpc))]
}
