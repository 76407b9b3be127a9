/** A gRPC fault without touching a service: a route that leads one RPC's calls to a backend that only fails. */
import type { Fault } from '../fault.ts'
import { nameOf, type Installation, type KubernetesObject } from './installation.ts'

const rpc = { service: 'flowforge.tasks.v1.TaskService', method: 'CreateTask' }
const name = 'flowforge-fault'

/**
 * The backend and the route. The route is attached to the upstream's Service, so the callers' proxies send the RPC to the
 * backend; deleting it ends the fault.
 */
export function faultRouteOf(
  fault: Extract<Fault, { kind: 'upstreamAnswers' }>,
  installation: Installation,
): KubernetesObject[] {
  const { namespace, faultBackendImage } = installation
  const labels = { 'app.kubernetes.io/name': name }
  const metadata = { name, namespace, labels }
  const container = {
    name: 'fault-backend',
    image: faultBackendImage,
    args: ['chaos/fault-backend/main.ts'],
    env: [
      { name: 'FLOWFORGE_LISTEN', value: '0.0.0.0:7101' },
      { name: 'FLOWFORGE_FAULT_CODE', value: fault.code },
    ],
    ports: [{ name: 'grpc', containerPort: 7101 }],
    readinessProbe: { grpc: { port: 7101 } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
    },
    resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '128Mi' } },
  }
  const annotations = { 'linkerd.io/inject': 'enabled' }
  const template = { metadata: { labels, annotations }, spec: { containers: [container] } }
  const ports = [{ name: 'grpc', port: 7101, targetPort: 'grpc', appProtocol: 'kubernetes.io/h2c' }]
  const parentRefs = [{ group: 'core', kind: 'Service', name: nameOf(fault.to, installation), port: 7101 }]
  const rules = [{ matches: [{ method: rpc }], backendRefs: [{ name, port: 7101 }] }]
  const deployment = { replicas: 1, selector: { matchLabels: labels }, template }
  return [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: deployment },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports } },
    { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'GRPCRoute', metadata, spec: { parentRefs, rules } },
  ]
}
