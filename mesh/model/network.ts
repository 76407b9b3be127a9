/** Whether NetworkPolicies let a connection through: some policy of each end has to, where any selects that end. */
import type { KubernetesObject } from '../kubernetes.ts'
import { labelsMatch, ofKind } from './objects.ts'

interface Rule {
  from?: Peer[]
  to?: Peer[]
  ports?: { protocol?: string; port?: number }[]
}
interface Peer {
  podSelector?: { matchLabels?: Record<string, string> }
}
interface NetworkPolicySpec {
  podSelector: { matchLabels?: Record<string, string> }
  policyTypes: string[]
  ingress?: Rule[]
  egress?: Rule[]
}

/** Answers whether TCP from one pod reaches a port of another, both of one namespace. */
export function networkModel(
  objects: KubernetesObject[],
): (from: Record<string, string>, to: Record<string, string>, port: number) => boolean {
  const policies = ofKind<NetworkPolicySpec>(objects, 'NetworkPolicy', 'networking.k8s.io')
  const lets = (
    self: Record<string, string>,
    other: Record<string, string>,
    port: number,
    type: 'Ingress' | 'Egress',
  ): boolean => {
    const selecting = policies.filter(
      ({ spec }) => spec.policyTypes.includes(type) && labelsMatch(spec.podSelector, self),
    )
    if (selecting.length === 0) return true
    const rules = selecting.flatMap(({ spec }) => (type === 'Ingress' ? spec.ingress : spec.egress) ?? [])
    return rules.some((rule) => {
      const peers = type === 'Ingress' ? rule.from : rule.to
      const isPeer = !peers?.length || peers.some(({ podSelector }) => podSelector && labelsMatch(podSelector, other))
      const isPort =
        !rule.ports?.length || rule.ports.some((one) => one.port === port && (one.protocol ?? 'TCP') === 'TCP')
      return isPeer && isPort
    })
  }
  return (from, to, port) => lets(from, to, port, 'Egress') && lets(to, from, port, 'Ingress')
}
