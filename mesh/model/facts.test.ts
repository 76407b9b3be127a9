/** The model against what a real Linkerd (edge-26.8.3) was seen to do with the same kinds of objects. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readManifests } from '../lint/manifests.ts'
import type { KubernetesObject } from '../kubernetes.ts'
import { InboundModel } from './inbound.ts'
import { networkModel } from './network.ts'
import type { Of, ServiceSpec } from './objects.ts'
import { outboundModel, type OutboundVerdict } from './outbound.ts'
import { RateModel } from './rate.ts'
import { codes } from './verdict.ts'

const web = 'web.shop.serviceaccount.identity.linkerd.cluster.local'
const path = '/shop.v1.Shop/Get'

/** Manifests of the linter, one for each way to go wrong. */
function objects(name: string): KubernetesObject[] {
  return readManifests(readFileSync(new URL(`../lint/fixtures/${name}.yaml`, import.meta.url), 'utf8'), name)
}

function inbound(manifests: KubernetesObject[]): (call: { path: string; identity?: string }) => number {
  const pod = { namespace: 'shop', labels: { app: 'web' }, port: 'grpc', trustDomain: 'cluster.local' }
  const model = new InboundModel(manifests, { ...pod, defaultPolicy: 'deny' })
  return ({ path: called, identity }) => model.judge({ path: called, identity, atNs: 0 })
}

function outbound(manifests: KubernetesObject[], called: string): OutboundVerdict {
  const service = manifests.find(({ kind }) => kind === 'Service') as Of<ServiceSpec>
  return outboundModel(manifests, service, 7000)(called)
}

test('F1: a gRPC Server drops its rate limit; an HTTP/2 one charges the total first, then each caller', () => {
  const spec = {
    targetRef: { kind: 'Server', name: 'app' },
    total: { requestsPerSecond: 20 },
    identity: { requestsPerSecond: 5 },
    overrides: [{ requestsPerSecond: 10, clientRefs: [{ kind: 'ServiceAccount', name: 'worker' }] }],
  }
  const admitted = (identity: string) => {
    const rate = new RateModel(spec, ({ name }) => name)
    return Array.from({ length: 60 }, () => rate.admits(identity, 1e9)).filter(Boolean).length
  }
  deepEqual([admitted('gateway'), admitted('worker')], [5, 10])
  // 12 calls per second for 4.9 s: 29 passed.
  const steady = new RateModel(spec, ({ name }) => name)
  const times = Array.from({ length: 59 }, (_, index) => Math.round((index * 1e9) / 12))
  equal(times.filter((atNs) => steady.admits('gateway', 1e9 + atNs)).length, 29)

  const open = [...objects('rate-on-grpc-server')]
  const server = open.find(({ kind }) => kind === 'Server')!
  const burst = (proxyProtocol: string): number => {
    const changed = {
      ...server,
      spec: { ...(server.spec as object), proxyProtocol, accessPolicy: 'all-unauthenticated' },
    }
    const judge = inbound([...open.filter((one) => one !== server), changed])
    return Array.from({ length: 60 }, () => judge({ path, identity: web })).filter((code) => code === codes.OK).length
  }
  deepEqual([burst('gRPC'), burst('HTTP/2')], [60, 5])
})

test('F2: a route of the wrong kind is not read, and everything is denied', () => {
  const judge = inbound(objects('route-kind-mismatch'))
  equal(judge({ path, identity: web }), codes.PERMISSION_DENIED)
  const right = inbound(objects('sound'))
  equal(right({ path, identity: web }), codes.OK)
  equal(right({ path, identity: web.replace('shop', 'other') }), codes.PERMISSION_DENIED)
  equal(right({ path }), codes.PERMISSION_DENIED)
})

test('F3: with one GRPCRoute the rest is NOT_FOUND, and a header-only match makes everything INTERNAL', () => {
  equal(outbound(objects('missing-catch-all'), path).code, codes.OK)
  equal(outbound(objects('missing-catch-all'), '/grpc.health.v1.Health/Check').code, codes.NOT_FOUND)
  equal(outbound(objects('sound'), '/grpc.health.v1.Health/Check').code, codes.OK)
  equal(outbound(objects('header-only-match'), path).code, codes.INTERNAL)
})

test('F3: an inbound route without matches turns NOT_FOUND into PERMISSION_DENIED', () => {
  const closed = objects('sound')
  const unknown = '/shop.v1.Shop/Unknown'
  equal(inbound(closed)({ path: unknown, identity: web }), codes.NOT_FOUND)
  const route = closed.find(({ metadata }) => metadata.name === 'in-get')!
  const all = {
    ...route,
    metadata: { ...route.metadata, name: 'in-rest' },
    spec: { ...(route.spec as object), rules: [{}] },
  }
  equal(inbound([...closed, all])({ path: unknown, identity: web }), codes.PERMISSION_DENIED)
})

test('F4: appProtocol grpc is an outage where RPCs are authorized', () => {
  equal(outbound(objects('app-protocol'), path).code, codes.UNAVAILABLE)
})

test('F5: retries of a Service need a GRPCRoute, and any retry annotation of a route hides them', () => {
  const [service] = objects('grpc-retry-without-route')
  equal(outbound([service!], path).retry, undefined)
  const [, , ...rest] = objects('retry-without-limit')
  deepEqual(outbound([service!, ...rest], '/shop.v1.Shop/Other').retry, { limit: 1, codes: ['unavailable'] })
  const three = {
    ...service!,
    metadata: {
      ...service!.metadata,
      annotations: { 'retry.linkerd.io/grpc': 'internal', 'retry.linkerd.io/limit': '3' },
    },
  }
  equal(outbound([three, ...rest], '/shop.v1.Shop/Other').retry?.limit, 3)
  const [, own] = objects('retry-without-limit')
  deepEqual(outbound([three, own!, ...rest], path).retry, { limit: 1, codes: ['unavailable'] })
})

test('F10: a fraction of a second is no time', () => {
  equal(outbound(objects('unreadable-time'), path).timeoutMs, undefined)
  equal(outbound(objects('sound'), path).timeoutMs, 1_500)
})

test('a ServiceProfile hides routes, and a headless Service has none', () => {
  const profiled = outbound(objects('service-profile'), '/shop.v1.Shop/Other')
  deepEqual(profiled, { code: codes.OK })
  deepEqual(outbound(objects('headless-parent'), '/shop.v1.Shop/Other'), { code: codes.OK })
})

test('a NetworkPolicy for the app’s port lets no proxy through', () => {
  const labels = { app: 'web' }
  const app = networkModel(objects('network-policy-without-proxy-port'))
  deepEqual([app(labels, labels, 4143), app(labels, labels, 7000)], [false, true])
  const proxy = networkModel(objects('sound'))
  ok(!proxy(labels, labels, 7000))
})
