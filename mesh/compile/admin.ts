/**
 * Ports that no RPC policy governs: the process's own admin port, the gateway's public HTTP port, and the proxy's.
 *
 * A Server without routes lets the kubelet's HTTP probes pass and keeps the namespace's default deny from Prometheus;
 * one route for another path would make every probe 404.
 */
import type { Component } from '../policy/policy.ts'
import type { Installation } from './installation.ts'
import { metadata } from './references.ts'
import { apis, groupOf, type Resource } from './resource.ts'

/** Objects for a component's ports beside gRPC. Who reaches them at all is up to the NetworkPolicies. */
export function adminPorts(component: Component, installation: Installation): Resource[] {
  const open = [openServer(component, 'admin', 'HTTP/1', installation)]
  // Whatever stands before the gateway is no workload of ours; the gateway authenticates each request itself.
  if (component === 'gateway') open.push(openServer(component, 'http', 'HTTP/1', installation))
  return [...open, ...proxyAdmin(component, installation)]
}

function openServer(component: Component, port: string, proxyProtocol: string, installation: Installation): Resource {
  return {
    apiVersion: apis.linkerdServer,
    kind: 'Server',
    metadata: metadata(component, port, installation),
    spec: {
      podSelector: { matchLabels: installation.selectorLabels(component) },
      port,
      proxyProtocol,
      accessPolicy: 'all-unauthenticated',
    },
  }
}

/** What `linkerd viz allow-scrapes` would add: metrics and probes of the proxy, and nothing else of its admin port. */
function proxyAdmin(component: Component, installation: Installation): Resource[] {
  const name = (suffix: string) => installation.objectName(component, suffix)
  const server = 'proxy-admin'
  return [
    {
      apiVersion: apis.linkerdServer,
      kind: 'Server',
      metadata: metadata(component, server, installation),
      spec: {
        podSelector: { matchLabels: installation.selectorLabels(component) },
        port: 'linkerd-admin',
        proxyProtocol: 'HTTP/1',
      },
    },
    {
      apiVersion: apis.gateway,
      kind: 'HTTPRoute',
      metadata: metadata(component, server, installation),
      spec: {
        parentRefs: [{ group: groupOf(apis.linkerdServer), kind: 'Server', name: name(server) }],
        rules: [
          {
            matches: ['/metrics', '/live', '/ready'].map((value) => ({
              path: { type: 'Exact', value },
              method: 'GET',
            })),
          },
        ],
      },
    },
    {
      apiVersion: apis.linkerd,
      kind: 'NetworkAuthentication',
      metadata: metadata(component, 'anywhere', installation),
      spec: { networks: [{ cidr: '0.0.0.0/0' }, { cidr: '::/0' }] },
    },
    {
      apiVersion: apis.linkerd,
      kind: 'AuthorizationPolicy',
      metadata: metadata(component, server, installation),
      spec: {
        targetRef: { group: groupOf(apis.gateway), kind: 'HTTPRoute', name: name(server) },
        requiredAuthenticationRefs: [
          { group: groupOf(apis.linkerd), kind: 'NetworkAuthentication', name: name('anywhere') },
        ],
      },
    },
  ]
}
