/** Rules about pods, their namespace and the network between them. */
import { labelsMatch } from '../../model/objects.ts'
import { isInjected, serverOf } from '../lookup.ts'
import type { Manifest, Manifests, Pods } from '../manifests.ts'
import { each, type Rule } from '../rule.ts'

const opaqueByDefault = [25, 587, 3306, 4444, 5432, 6379, 9300, 11211]
const controlPlane = [8080, 8086, 8090]

interface NetworkSpec {
  podSelector?: { matchLabels?: Record<string, string> }
  policyTypes?: string[]
  ingress?: { from?: unknown[]; ports?: { port?: number | string }[] }[]
  egress?: { to?: unknown[]; ports?: { port?: number | string }[] }[]
}

const namespaces = (all: Manifests) => all.of('Namespace', '')
const networks = (all: Manifests) => all.of<NetworkSpec>('NetworkPolicy', 'networking.k8s.io')

export const podRules: Rule[] = [
  ofPods('opaque-list-replaced', 'a list of opaque ports that replaces the default one', (pods) => {
    const value = pods.annotations['config.linkerd.io/opaque-ports']
    const lost = value === undefined ? [] : opaqueByDefault.filter((port) => !portsIn(value).includes(port))
    if (lost.length === 0) return undefined
    return `replaces Linkerd's list of opaque ports, so ${lost.join(', ')} are no longer in it: a connection to a database there waits 10 s for protocol detection. Repeat the default list before your own ports.`
  }),
  ofPods('skipped-port', 'policy on a port that the proxy never sees', (pods, all) => {
    const skipped = portsIn(pods.annotations['config.linkerd.io/skip-inbound-ports'] ?? '')
    const port = skipped.find((one) => serverOf(all, pods, one))
    if (port === undefined) return undefined
    return `skips the proxy on port ${port}, for which there is a Server: nothing is authorized, and anybody can send l5d-client-id there and be believed. Do not skip it.`
  }),
  each(
    'injected-under-pod-security',
    'proxies where Pod Security forbids their init container',
    namespaces,
    (one, all, { hasCni }) => {
      const level = one.metadata.labels?.['pod-security.kubernetes.io/enforce']
      if (hasCni || (level !== 'restricted' && level !== 'baseline')) return undefined
      const isMeshed =
        one.metadata.annotations?.['linkerd.io/inject'] === 'enabled' ||
        all.pods().some((pods) => pods.namespace === one.metadata.name && isInjected(pods, all))
      if (!isMeshed) return undefined
      return `enforces ${level} and injects proxies: linkerd-init needs NET_ADMIN and NET_RAW, so no pod is admitted. Install linkerd-cni and say so with --cni, or enforce privileged.`
    },
  ),
  each(
    'network-policy-without-proxy-port',
    'a NetworkPolicy that opens only the app’s port',
    networks,
    (policy, all) => {
      const { ingress = [] } = policy.spec
      const pods = selected(policy, all).find((one) => isInjected(one, all))
      const own =
        pods?.containers.flatMap(({ ports = [] }) =>
          ports.flatMap(({ name, containerPort }) => [name, containerPort]),
        ) ?? []
      const rule = ingress.find(
        ({ from, ports = [] }) =>
          from?.length &&
          ports.length > 0 &&
          ports.every(({ port }) => own.includes(port as number)) &&
          serves(pods!, ports, all),
      )
      if (!pods || !rule || ingress.some(({ ports }) => !ports?.length || ports.some(({ port }) => port === 4143)))
        return undefined
      return 'lets callers reach the port of the app, but proxies connect to 4143: every meshed call fails after 3 s. Open 4143 for callers instead.'
    },
  ),
  each('egress-without-control-plane', 'a NetworkPolicy that cuts proxies off', networks, (policy, all) => {
    const { policyTypes = [], egress = [] } = policy.spec
    const pods = selected(policy, all).find((one) => isInjected(one, all))
    if (!pods || !policyTypes.includes('Egress')) return undefined
    const rules = networks(all)
      .filter((one) => selected(one, all).includes(pods) || selects(one, pods))
      .flatMap(({ spec }) => spec.egress ?? [])
    const missing = controlPlane.filter(
      (port) => ![...egress, ...rules].some(({ ports }) => !ports?.length || ports.some((one) => one.port === port)),
    )
    if (missing.length === 0) return undefined
    return `lets injected pods reach nothing at ${missing.join(', ')}, where the control plane gives proxies their identity, destinations and policy: they never become ready. Allow ${controlPlane.join(', ')} to Linkerd's namespace.`
  }),
]

function ofPods(id: string, title: string, judge: (pods: Pods, all: Manifests) => string | undefined): Rule {
  return {
    id,
    title,
    judge: (all) =>
      all.pods().flatMap((pods) => {
        const message = judge(pods, all)
        return message === undefined ? [] : [{ object: pods.owner, message }]
      }),
  }
}

function selects(policy: Manifest, pods: Pods): boolean {
  return (
    policy.metadata.namespace === pods.namespace && labelsMatch((policy.spec as NetworkSpec).podSelector, pods.labels)
  )
}

function selected(policy: Manifest, all: Manifests): Pods[] {
  return all.pods().filter((pods) => selects(policy, pods))
}

/** Whether Linkerd governs one of these ports: others may well be meant for callers without a proxy. */
function serves(pods: Pods, ports: { port?: number | string }[], all: Manifests): boolean {
  return ports.some(
    ({ port }) => port !== undefined && serverOf(all, pods, port)?.spec.accessPolicy !== 'all-unauthenticated',
  )
}

/** `5432,6000-6003` → all of them. */
function portsIn(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [first = '', last = first] = part.trim().split('-')
    const [from, to] = [Number(first), Number(last)]
    return first === '' || Number.isNaN(from + to)
      ? []
      : Array.from({ length: Math.min(to - from, 65_535) + 1 }, (_, index) => from + index)
  })
}
