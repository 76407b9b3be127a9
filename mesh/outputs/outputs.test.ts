import { deepEqual, equal, ok } from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { descriptorRegistry } from '@flowforge/proto/descriptors'
import { served } from '../compile/component.ts'
import { callGraph } from '../graph.ts'
import { loadPolicies } from '../policy/read-policies.ts'
import { accessMatrix } from './access-matrix.ts'
import { callGraphSvg } from './call-graph.ts'
import { ghzConfigs } from './ghz.ts'
import { objectives } from './objectives.ts'
import { serviceConfigs, type ServiceConfig } from './service-config.ts'

// grpc-js keeps its own reader of service configs for itself.
const { validateServiceConfig } = createRequire(import.meta.url)('@grpc/grpc-js/build/src/service-config.js') as {
  validateServiceConfig(config: object): { methodConfig: { retryPolicy?: { retryableStatusCodes: unknown[] } }[] }
}

test('gRPC takes the service configs, and retries in them are only those that are safe for all', () => {
  const { methods } = loadPolicies()
  for (const config of Object.values<ServiceConfig>(serviceConfigs(loadPolicies()))) {
    const read = validateServiceConfig(config)
    equal(read.methodConfig.length, config.methodConfig.length)
    for (const { name, timeout, retryPolicy } of config.methodConfig) {
      const policy = methods.get(`/${name[0]!.service}/${name[0]!.method}`)!
      equal(timeout, policy.timeoutMs === undefined ? undefined : `${policy.timeoutMs / 1_000}s`)
      const isSafe = policy.retry?.safeBy === 'idempotency_level'
      equal(retryPolicy?.maxAttempts, isSafe ? policy.retry!.attempts : undefined)
      for (const code of retryPolicy?.retryableStatusCodes ?? []) ok(code in status)
    }
  }
})

test('a load test is configured for every unary RPC, under the name by which the contracts know it', () => {
  const configs = [...ghzConfigs(loadPolicies()).values()] as { call: string; timeout: string }[]
  const unary = [...loadPolicies().methods.values()].filter(({ isStream }) => !isStream)
  equal(configs.length, unary.length)
  for (const { call } of configs) {
    const [service = '', method = ''] = call.split('/')
    ok(
      descriptorRegistry()
        .getService(service)
        ?.methods.some(({ name }) => name === method),
      call,
    )
  }
})

test('every RPC has an objective, under the names of its routes', () => {
  const all = objectives(loadPolicies())
  equal(all.length, loadPolicies().methods.size)
  const names = new Set(
    served(loadPolicies()).flatMap(({ component, names: own }) =>
      [...own.values()].map((name) => `${component} in-${name}`),
    ),
  )
  deepEqual(new Set(all.map(({ component, routes }) => `${component} ${routes.inbound}`)), names)
})

test('the access matrix has a dot for every caller of every RPC and no other', () => {
  const rows = accessMatrix(loadPolicies())
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  equal(rows.length, loadPolicies().methods.size)
  const dots = rows.join('').split('●').length - 1
  equal(
    dots,
    [...loadPolicies().methods.values()].reduce((sum, { callers }) => sum + callers.size, 0),
  )
})

test('the picture has a box for every component and an arrow for every edge', () => {
  const svg = callGraphSvg(loadPolicies())
  const edges = callGraph(loadPolicies())
  const nodes = new Set(edges.flatMap(({ from, to }) => [from, to]))
  equal(svg.split('marker-end').length - 1, edges.length)
  for (const node of nodes) equal(svg.split(`>${node}</text>`).length - 1, 1)
})
