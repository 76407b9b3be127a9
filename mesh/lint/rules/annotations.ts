/** Rules about the annotations that say how often and how long. */
import { annotations, attached, routes, services } from '../lookup.ts'
import type { Manifests } from '../manifests.ts'
import { each, type Rule } from '../rule.ts'

const retryable = ['cancelled', 'deadline-exceeded', 'internal', 'resource-exhausted', 'unavailable']
const retry = 'retry.linkerd.io/'
const timeout = 'timeout.linkerd.io/'
const accrual = 'balancer.linkerd.io/failure-accrual'
/** More retries than this at one hop: with two hops a request becomes nine. */
const retriesMax = 2
const annotated = (all: Manifests) => [...routes(all), ...services(all)]

export const annotationRules: Rule[] = [
  each('retry-without-limit', 'retries whose number is not said', annotated, (object) => {
    const own = annotations(object, retry).map(([name]) => name)
    if (!own.some((name) => name === 'grpc' || name === 'http') || own.includes('limit')) return undefined
    return 'retries without retry.linkerd.io/limit: any retry annotation of a route hides the Service’s, so it is one retry, whatever the Service says. Write the limit beside it.'
  }),
  each('retry-limit', 'more retries than an outage bears', annotated, (object) => {
    const limit = Number(annotations(object, retry).find(([name]) => name === 'limit')?.[1] ?? 0)
    if (limit <= retriesMax) return undefined
    return `retries ${limit} times, and Linkerd has no retry budget: when everything fails the load is ${limit + 1} times as high, and that for every hop. Write ${retriesMax} or less.`
  }),
  each('unretryable-status', 'retries on a status that Linkerd does not retry', annotated, (object) => {
    const [, value = ''] = annotations(object, retry).find(([name]) => name === 'grpc') ?? []
    const wrong = value
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== '' && !retryable.includes(one))
    if (wrong.length === 0) return undefined
    return `retries on ${wrong.join(', ')}: on a route the webhook refuses that, on a Service it is dropped without a word. Use ${retryable.join(', ')}.`
  }),
  each('unreadable-time', 'a time that Linkerd cannot read', annotated, (object) => {
    const times = [
      ...annotations(object, timeout),
      ...annotations(object, retry).filter(([name]) => name === 'timeout'),
      ...annotations(object, accrual).filter(([name]) => name.endsWith('-penalty')),
    ]
    const wrong = times.find(([, value]) => !/^\d+(ms|s|m|h|d)$/.test(value))
    if (!wrong) return undefined
    return `has the time "${wrong[1]}": on a route the webhook refuses it, on a Service it is dropped without a word. Write an integer and ms, s, m or h, such as 1500ms.`
  }),
  each('policy-on-service', 'times or retries on a Service', services, (service) => {
    const own = [
      ...annotations(service, timeout).map(([name]) => timeout + name),
      ...annotations(service, retry).map(([name]) => retry + name),
    ]
    if (own.length === 0) return undefined
    return `has ${own[0]}: nobody checks annotations of a Service, a wrong one is dropped without a word, and one retry annotation of a route hides them all. Write them on routes.`
  }),
  each('grpc-retry-without-route', 'gRPC retries of a Service without a GRPCRoute', services, (service, all) => {
    const hasRetry = annotations(service, retry).some(([name]) => name === 'grpc')
    if (!hasRetry || attached(all, 'GRPCRoute', service).length > 0) return undefined
    return 'asks for gRPC retries but has no GRPCRoute, so the proxy does not speak gRPC there and makes none. Add a GRPCRoute.'
  }),
  each('hair-trigger-breaker', 'a breaker that a few refusals open', services, (service) => {
    const [, value] = annotations(service, accrual).find(([name]) => name === '-consecutive-max-failures') ?? []
    if (value === undefined || Number(value) >= 5) return undefined
    return `opens its breaker after ${value} failures in a row, and PERMISSION_DENIED and UNKNOWN count: a caller that is refused ${value} times loses a healthy pod. Write 5 or more, 7 is the default.`
  }),
  each(
    'service-profile',
    'a ServiceProfile',
    (all) => all.of('ServiceProfile', 'linkerd.io'),
    (profile, all) => {
      const name = profile.metadata.name.split('.')[0]
      const service = services(all).find(({ metadata }) => metadata.name === name)
      const hidden = service && [...attached(all, 'GRPCRoute', service), ...attached(all, 'HTTPRoute', service)][0]
      return `wins over ${hidden ? `${hidden.kind} ${hidden.metadata.name}` : 'routes'} and over every retry, timeout and breaker annotation of its Service: those do nothing while it is there. Remove it.`
    },
  ),
]
