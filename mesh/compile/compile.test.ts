import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { compiledFiles, root, staleFiles, writeCompiledFiles } from '../compiled-files.ts'
import { amplifications } from '../graph.ts'
import { parseDuration } from '../policy/duration.ts'
import { readPolicies, loadPolicies } from '../policy/read-policies.ts'
import { contracts } from '../policy/testing/contracts.ts'
import { compiledObjects, type KubernetesObject } from '../kubernetes.ts'
import { exampleSettings } from './installation.ts'
import { kebab, methodNames, shortened } from './names.ts'

test('every object has a name of its own that Kubernetes and Linkerd take', () => {
  const seen = new Set<string>()
  for (const { kind, metadata } of compiledObjects(loadPolicies(), exampleSettings)) {
    match(metadata.name, /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/)
    const key = `${kind} ${metadata.name}`
    ok(!seen.has(key), key)
    seen.add(key)
  }
})

test('two methods of one name are told apart by their services, and a long name by a hash', () => {
  deepEqual(
    [...methodNames(['/p.TaskService/Get', '/p.QueueService/Get', '/p.TaskService/ListAPIKeys']).values()],
    ['task-service-get', 'queue-service-get', 'list-api-keys'],
  )
  equal(kebab('BatchCreateTasks'), 'batch-create-tasks')
  const long = 'a-method-name-that-goes-on-and-on-and-on-for-ever'
  equal(shortened(long).length, 40)
  ok(shortened(long) !== shortened(`${long}-2`))
})

test('the same contracts compile to the same bytes', () => {
  deepEqual(compiledFiles(loadPolicies()), compiledFiles(loadPolicies()))
})

test('a stale, a missing and a left-over file are found, and put right', () => {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-compiled-'))
  const policies = loadPolicies()
  writeCompiledFiles(policies, folder)
  deepEqual(staleFiles(policies, folder), [])
  const matrix = 'docs/access-matrix.md'
  const stray = 'helm/flowforge/templates/mesh/tasks/stray.yaml'
  const text = readFileSync(join(folder, matrix), 'utf8')
  writeFileSync(join(folder, matrix), text.replace('●', ''))
  writeFileSync(join(folder, stray), '')
  deepEqual(staleFiles(policies, folder), [matrix, stray])
  deepEqual(writeCompiledFiles(policies, folder), [matrix, stray])
  deepEqual(staleFiles(policies, folder), [])
})

test('attempts multiply along a way through the graph', () => {
  const services = `service S {
    rpc Do(Empty) returns (Empty) {
      option idempotency_level = IDEMPOTENT;
      option (flowforge.mesh.v1.policy) = { callers: COMPONENT_GATEWAY timeout: "1s" retry: {attempts: 3} };
    }
    rpc Other(Empty) returns (Empty) {
      option (flowforge.mesh.v1.policy) = { callers: COMPONENT_WORKER timeout: "1s" };
    }
  }`
  deepEqual(amplifications(readPolicies(contracts(services))), [
    { path: ['gateway', 'tasks'], attempts: 3 },
    { path: ['worker', 'tasks'], attempts: 1 },
  ])
  const [worst] = amplifications(loadPolicies())
  ok(worst && worst.attempts <= 2, `${worst?.path.join(' → ')}: ${worst?.attempts}`)
})

const hasHelm = spawnSync('helm', ['version']).status === 0

for (const mesh of [true, false]) {
  const name = `the chart renders what the compiler means ${mesh ? 'in' : 'without'} a mesh, breakers of its Services included`
  test(name, { skip: hasHelm ? false : 'helm is not on the PATH' }, () => {
    const settings = { ...exampleSettings, namespace: 'ff', mesh, audit: true, retries: false }
    const values = [`mesh.enabled=${mesh}`, 'mesh.policyMode=audit', 'mesh.retries=false']
    const args = [
      'template',
      settings.release,
      join(root, 'helm/flowforge'),
      '--namespace',
      'ff',
      '--kube-version',
      '1.35.0',
    ]
    const text = execFileSync('helm', [...args, ...values.flatMap((value) => ['--set', value])], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    })
    const rendered = parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject | null)
    for (const resource of compiledObjects(loadPolicies(), settings)) {
      const same = rendered.find((one) => one?.kind === resource.kind && one.metadata.name === resource.metadata.name)
      ok(same, `${resource.kind} ${resource.metadata.name}`)
      // The chart adds labels that only it knows.
      equal(same.metadata.namespace, 'ff')
      deepEqual(same.metadata.annotations, resource.metadata.annotations)
      deepEqual(same.spec, resource.spec)
    }
    for (const { component, breaker } of loadPolicies().components.values()) {
      const service = rendered.find((one) => one?.kind === 'Service' && one.metadata.name === `flowforge-${component}`)
      const accrual = 'balancer.linkerd.io/failure-accrual'
      const read = (name: string) => service?.metadata.annotations?.[`${accrual}-consecutive-${name}`]
      equal(service?.metadata.annotations?.[accrual], mesh ? 'consecutive' : undefined)
      if (!mesh) continue
      equal(Number(read('max-failures')), breaker.consecutiveFailures)
      equal(parseDuration(read('min-penalty')!), breaker.minPenaltyMs)
      equal(parseDuration(read('max-penalty')!), breaker.maxPenaltyMs)
    }
  })
}
