/** The manifests of every experiment; with FLOWFORGE_TEST_CLUSTER=1 an API server with the definitions judges them too. */
import { deepEqual, doesNotMatch, equal, ok } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { experiments } from '../experiments.ts'
import type { Fault } from '../fault.ts'
import { chaosOf } from './chaos-mesh.ts'
import type { Installation } from './installation.ts'
import { render, renderText } from './render.ts'

const installation: Installation = {
  namespace: 'default',
  release: 'release',
  faultBackendImage: 'flowforge/chaos:dev',
}
/** Faults that are the callers' doing, or that only a process of this machine can have. */
const localOnly: Fault['kind'][] = [
  'poison',
  'backlog',
  'slowClients',
  'holdConnections',
  'expireCertificate',
  'redisGone',
]

for (const experiment of experiments)
  test(`${experiment.name} can be done to a cluster, unless callers bring it about`, () => {
    const { objects, commands } = render(experiment, installation)
    equal(objects.length > 0 || commands !== undefined, !localOnly.includes(experiment.fault.kind))
    const documents = parseAllDocuments(renderText(experiment, installation)).flatMap((one) => one.toJS() ?? [])
    deepEqual(documents, JSON.parse(JSON.stringify(objects)))
  })

test('every template of a workflow is there and is used', () => {
  for (const experiment of experiments) {
    const workflow = render(experiment, installation).objects.find(({ kind }) => kind === 'Workflow')
    if (!workflow) continue
    const { entry, templates } = workflow.spec as { entry: string; templates: { name: string; children?: string[] }[] }
    const used = new Set([entry, ...templates.flatMap(({ children = [] }) => children)])
    deepEqual(new Set(templates.map(({ name }) => name)), used, experiment.name)
  }
})

test('nothing acts on the proxy’s own traffic: no HTTPChaos, and no container is killed', () => {
  for (const experiment of experiments)
    doesNotMatch(renderText(experiment, installation), /HTTPChaos|container-kill|linkerd-proxy/)
})

test('requests that are lost are what the caller sends', () => {
  const fault: Fault = { kind: 'link', from: 'worker', to: 'tasks', lost: 'requests', forMs: 1_000 }
  const { spec } = chaosOf(fault, installation)!
  const { direction, selector } = spec as { direction: string; selector: { labelSelectors: Record<string, string> } }
  equal(direction, 'to')
  equal(selector.labelSelectors['app.kubernetes.io/component'], 'worker')
})

const skip = whyNot()

function whyNot(): string | false {
  if (process.env.FLOWFORGE_TEST_CLUSTER !== '1') return 'FLOWFORGE_TEST_CLUSTER is not 1'
  const wanted = ['workflows.chaos-mesh.org', 'statuschecks.chaos-mesh.org', 'grpcroutes.gateway.networking.k8s.io']
  const { status } = spawnSync('kubectl', ['get', 'crd', ...wanted])
  return status === 0 ? false : 'the cluster has no definitions of Chaos Mesh and Gateway API'
}

test('an API server accepts every manifest', { skip }, () => {
  const items = experiments.flatMap((experiment) => render(experiment, installation).objects)
  const { status, stdout, stderr } = spawnSync(
    'kubectl',
    ['apply', '--dry-run=server', '--validate=strict', '--filename', '-'],
    { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), encoding: 'utf8', timeout: 120_000 },
  )
  equal(status, 0, stderr)
  equal(stdout.match(/server dry run/g)?.length, items.length)
  ok(items.length > 10)
})

test('the same API server refuses a spec of a wrong shape', { skip }, () => {
  // A workflow holds copies of specs whose definition is that of the kind itself.
  const experiment = experiments.find(({ fault }) => fault.kind === 'link')!
  const { spec } = chaosOf(experiment.fault, installation)!
  const wrong = { ...spec, direction: 'sideways' }
  const object = {
    apiVersion: 'chaos-mesh.org/v1alpha1',
    kind: 'NetworkChaos',
    metadata: { name: 'x', namespace: 'default' },
    spec: wrong,
  }
  const { status } = spawnSync('kubectl', ['apply', '--dry-run=server', '--validate=strict', '--filename', '-'], {
    input: JSON.stringify(object),
  })
  ok(status !== 0)
})
