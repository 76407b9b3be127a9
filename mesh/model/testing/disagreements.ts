/**
 * The proof that compiled objects mean what the contracts declare: three answers to every question, which must agree.
 *
 *     declared    read off the policies, here, in the plainest way
 *     mesh        the model of Linkerd, which sees the compiled objects and nothing else
 *     in process  the very functions with which the services decide
 */
import { decide, type Caller, type Rule } from '@flowforge/runtime/decide'
import { rateLimit } from '@flowforge/runtime/rate-limit'
import { concreteInstallation, type ConcreteSettings } from '../../compile/installation.ts'
import { compiledObjects, type KubernetesObject } from '../../kubernetes.ts'
import { components, type Component, type MethodPolicy, type Policies } from '../../policy/policy.ts'
import { InboundModel } from '../inbound.ts'
import { networkModel } from '../network.ts'
import type { Of, ServiceSpec } from '../objects.ts'
import { outboundModel, type OutboundVerdict } from '../outbound.ts'
import { codes } from '../verdict.ts'

type Compile = (policies: Policies, settings: ConcreteSettings) => KubernetesObject[]

const builtin = [
  '/grpc.health.v1.Health/Check',
  '/grpc.health.v1.Health/Watch',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
]
const undeclared = [
  '/flowforge.tasks.v1.TaskService/Undeclared',
  '/grpc.health.v1.Healthy/Check',
  '/unknown.Service/Do',
]

/** Everything about which the three do not agree, in words; empty is the proof. Counts questions in `asked`. */
export function disagreements(
  policies: Policies,
  settings: ConcreteSettings,
  asked: { questions: number },
  compile: Compile = compiledObjects,
): string[] {
  const compiled = compile(policies, settings)
  const found = networkDisagreements(policies, settings, compiled, asked)
  for (const component of policies.components.keys()) {
    const service = serviceOf(component, settings)
    found.push(...inbound(component, policies, settings, compiled, asked))
    found.push(...rates(component, policies, settings, compiled, asked))
    found.push(...outbound(component, policies, [...compiled, service], service, asked))
  }
  return found
}

/** The Kubernetes Service that the chart makes. */
function serviceOf(component: Component, settings: ConcreteSettings): Of<ServiceSpec> {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `${settings.release}-${component}`, namespace: settings.namespace },
    spec: { ports: [{ name: 'grpc', port: 7101, targetPort: 'grpc', appProtocol: 'kubernetes.io/h2c' }] },
  }
}

/** The proxy before a component's gRPC port. */
export function modelOf(component: Component, settings: ConcreteSettings, compiled: KubernetesObject[]): InboundModel {
  return new InboundModel(compiled, {
    namespace: settings.namespace,
    labels: labelsOf(component, settings),
    port: 'grpc',
    defaultPolicy: 'deny',
    trustDomain: settings.trustDomain,
  })
}

function labelsOf(component: Component, settings: ConcreteSettings): Record<string, string> {
  return concreteInstallation(settings).selectorLabels(component) as Record<string, string>
}

/** Everybody who may turn up: each component, its namesake elsewhere, somebody else, and who has no identity. */
function callersOf(settings: ConcreteSettings): Caller[] {
  const own = components.map((component) => ({
    component,
    identity: concreteInstallation(settings).identity(component) as string,
  }))
  const elsewhere = own.map(({ identity }) => identity.replace(`.${settings.namespace}.`, '.elsewhere.'))
  const strangers = [...elsewhere, own[0]!.identity.replace(settings.trustDomain, 'example.org'), undefined]
  return [...own, ...strangers.map((identity) => ({ identity, component: undefined }))]
}

function inbound(
  component: Component,
  { methods }: Policies,
  settings: ConcreteSettings,
  compiled: KubernetesObject[],
  asked: { questions: number },
): string[] {
  const model = modelOf(component, settings, compiled)
  const found: string[] = []
  // Far apart, so that no rate has a say.
  let atNs = 0
  const everybody = callersOf(settings)
  for (const path of [...methods.keys(), ...builtin, ...undeclared]) {
    const policy = methods.get(path)
    const isServed = policy?.component === component || builtin.includes(path)
    const callers = isServed ? (policy?.callers ?? new Set(components)) : undefined
    for (const caller of everybody) {
      asked.questions += 1
      atNs += 1e10
      const declared = callers
        ? caller.component !== undefined && callers.has(caller.component)
          ? codes.OK
          : codes.PERMISSION_DENIED
        : codes.NOT_FOUND
      const mesh = model.judge({ path, identity: caller.identity, atNs })
      const process = decide(callers && { callers, rates: [] }, caller, atNs / 1e6)?.code ?? codes.OK
      if (declared !== mesh || declared !== process) {
        found.push(
          `${caller.identity ?? 'nobody'} calls ${path} of ${component}: declared ${declared}, mesh ${mesh}, in process ${process}`,
        )
      }
    }
  }
  return found
}

/** A burst by several callers in turn, at times that let some through again. */
function rates(
  component: Component,
  { methods, components: ports }: Policies,
  settings: ConcreteSettings,
  compiled: KubernetesObject[],
  asked: { questions: number },
): string[] {
  const model = modelOf(component, settings, compiled)
  const meshRate = ports.get(component)?.meshRate
  const own = [...methods.values()].find((method) => method.component === component)
  if (!own) return []
  const portRates = meshRate ? [rateLimit(meshRate)] : []
  const rule: Rule = { callers: own.callers, rates: portRates }
  const callers = callersOf(settings)
  const perSecond = meshRate?.requestsPerSecond ?? 100
  const found: string[] = []
  // Twice the rate, unevenly, with one pause: every limit is met, and every burst comes back.
  let atNs = 1e9
  for (let index = 0; index < Math.min(3 * perSecond + 20, 200); index++) {
    asked.questions += 1
    atNs += Math.round(((index % 7) / 6) * (1e9 / perSecond)) + (index === 2 * perSecond ? 2.5e9 : 0)
    const caller = callers[(index * index) % callers.length]!
    const mesh = model.judge({ path: own.path, identity: caller.identity, atNs })
    const process = decide(rule, caller, atNs / 1e6)?.code ?? codes.OK
    if (mesh !== process) found.push(`call ${index} at ${atNs} ns of ${own.path}: mesh ${mesh}, in process ${process}`)
  }
  return found
}

function outbound(
  component: Component,
  { methods }: Policies,
  objects: KubernetesObject[],
  service: Of<ServiceSpec>,
  asked: { questions: number },
): string[] {
  const own = [...methods.values()].filter((method) => method.component === component)
  const paths = [...own.map(({ path }) => path), ...builtin, ...undeclared]
  const judge = outboundModel(objects, service, 7101)
  return paths.flatMap((path) => {
    asked.questions += 1
    const declared = JSON.stringify(declaredOutbound(methods.get(path)))
    const mesh = JSON.stringify(judge(path))
    return declared === mesh ? [] : [`${path} leaves for ${component}: declared ${declared}, mesh ${mesh}`]
  })
}

/** What an RPC that is not declared, health for example, is not given: it must still arrive. */
function declaredOutbound(policy: MethodPolicy | undefined): OutboundVerdict {
  if (!policy) return { code: codes.OK }
  const { timeoutMs, idleTimeoutMs, retry } = policy
  const isSafeForAll = retry?.safeBy === 'idempotency_level'
  const names = retry?.codes.map((code) => code.toLowerCase().replaceAll('_', '-')) ?? []
  return {
    code: codes.OK,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
    ...(isSafeForAll ? { retry: { limit: retry.attempts - 1, codes: names } } : {}),
  }
}

/** Whether NetworkPolicies let exactly the declared callers through, to exactly the right port. */
export function networkDisagreements(
  { methods }: Policies,
  settings: ConcreteSettings,
  compiled: KubernetesObject[],
  asked: { questions: number },
): string[] {
  const found: string[] = []
  const right = settings.mesh ? 4143 : 7101
  const reaches = networkModel(compiled)
  const labels = new Map(components.map((one) => [one, labelsOf(one, settings)]))
  for (const from of components) {
    for (const to of components.filter((one) => one !== from && one !== 'operator')) {
      const isDeclared = [...methods.values()].some(({ component, callers }) => component === to && callers.has(from))
      for (const port of [4143, 7101, 5432]) {
        asked.questions += 1
        const isOpen = reaches(labels.get(from)!, labels.get(to)!, port)
        if (isOpen !== (isDeclared && port === right)) found.push(`${from} reaches ${to}:${port}: ${isOpen}`)
      }
    }
  }
  return found
}
