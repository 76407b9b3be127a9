/**
 * Whether an object is built as its kind demands, as far as rules look into it. One that is not is no matter for them:
 * the API server refuses it.
 */
import type { KubernetesObject } from '../kubernetes.ts'

/** A path and what stands there: `!` must be there, `[]` is each item of a list, `*` each value of a map. */
type Demand = `${string} ${'map' | 'list' | 'text' | 'text|number'}`

const everything: Demand[] = [
  'apiVersion! text',
  'metadata! map',
  'metadata.annotations map',
  'metadata.annotations.* text',
  'metadata.labels map',
  'metadata.labels.* text',
]

const route: Demand[] = [
  'spec! map',
  'spec.parentRefs list',
  'spec.parentRefs[] map',
  'spec.rules list',
  'spec.rules[] map',
  'spec.rules[].matches list',
  'spec.rules[].matches[] map',
  'spec.rules[].matches[].headers list',
  'spec.rules[].filters list',
  'spec.rules[].filters[] map',
]

const networkRule = (direction: string): Demand[] => [
  `spec.${direction} list`,
  `spec.${direction}[] map`,
  `spec.${direction}[].from list`,
  `spec.${direction}[].to list`,
  `spec.${direction}[].ports list`,
  `spec.${direction}[].ports[] map`,
]

const probe = (name: string): Demand[] => [
  `spec.containers[].${name} map`,
  `spec.containers[].${name}.grpc map`,
  `spec.containers[].${name}.httpGet map`,
  `spec.containers[].${name}.httpGet.path text`,
]

const pod: Demand[] = [
  'metadata map',
  'metadata.annotations map',
  'metadata.annotations.* text',
  'metadata.labels map',
  'spec map',
  'spec.containers list',
  'spec.containers[] map',
  'spec.containers[].ports list',
  'spec.containers[].ports[] map',
  ...['livenessProbe', 'readinessProbe', 'startupProbe'].flatMap(probe),
]

const under = (prefix: string, demands: Demand[]): Demand[] => [
  `${prefix} map`,
  ...demands.map((demand): Demand => `${prefix}.${demand}`),
]

const workload: Demand[] = ['spec map', ...under('spec.template', pod)]

const demands: Record<string, Demand[]> = {
  Server: [
    'spec! map',
    'spec.port! text|number',
    'spec.podSelector map',
    'spec.podSelector.matchLabels map',
    'spec.proxyProtocol text',
  ],
  GRPCRoute: [
    ...route,
    'spec.rules[].matches[].method map',
    'spec.rules[].matches[].method.service text',
    'spec.rules[].matches[].method.method text',
  ],
  HTTPRoute: [...route, 'spec.rules[].matches[].path map', 'spec.rules[].matches[].path.value text'],
  AuthorizationPolicy: [
    'spec! map',
    'spec.targetRef! map',
    'spec.requiredAuthenticationRefs! list',
    'spec.requiredAuthenticationRefs[] map',
  ],
  HTTPLocalRateLimitPolicy: [
    'spec! map',
    'spec.targetRef! map',
    'spec.total map',
    'spec.identity map',
    'spec.overrides list',
    'spec.overrides[] map',
  ],
  ServiceProfile: ['metadata.name! text'],
  Service: ['spec! map', 'spec.ports list', 'spec.ports[] map'],
  NetworkPolicy: [
    'spec! map',
    'spec.podSelector map',
    'spec.podSelector.matchLabels map',
    'spec.policyTypes list',
    ...networkRule('ingress'),
    ...networkRule('egress'),
  ],
  Pod: pod,
  Deployment: workload,
  StatefulSet: workload,
  DaemonSet: workload,
  ReplicaSet: workload,
  Job: workload,
  CronJob: [
    'spec map',
    'spec.jobTemplate map',
    'spec.jobTemplate.spec map',
    ...under('spec.jobTemplate.spec.template', pod),
  ],
}

/** The first thing that is not as demanded, in words; undefined for an object that is sound. */
export function misshape(object: KubernetesObject): string | undefined {
  for (const demand of [...everything, ...(demands[object.kind] ?? [])]) {
    const [path = '', type = ''] = demand.split(' ')
    const steps = path.replaceAll('[]', '.[]').split('.')
    if (!holds(object, steps, type))
      return `${path.replace('!', '')} is ${path.endsWith('!') ? 'missing or ' : ''}no ${type.replace('|', ' or ')}`
  }
  return undefined
}

function holds(value: unknown, [step, ...rest]: string[], type: string): boolean {
  if (step === undefined) return isA(value, type)
  // Whether what is on the way is of the right kind is said by a demand of its own.
  if (typeof value !== 'object' || value === null) return true
  if (step === '[]' || step === '*') return Object.values(value).every((item) => holds(item, rest, type))
  const next = (value as Record<string, unknown>)[step.replace('!', '')]
  if (next === undefined) return !step.endsWith('!')
  return holds(next, rest, type)
}

function isA(value: unknown, type: string): boolean {
  if (type === 'list') return Array.isArray(value)
  if (type === 'map') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return type.split('|').includes(typeof value === 'string' ? 'text' : typeof value)
}
