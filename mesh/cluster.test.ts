/**
 * Whether a real API server takes what the compiler writes: schemas and CEL rules of Gateway API and Linkerd included.
 * It talks to the current kube context, so it only runs when asked to: `FLOWFORGE_TEST_CLUSTER=1`.
 */
import { doesNotMatch, equal, match } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { exampleSettings } from './compile/installation.ts'
import { compiledObjects } from './kubernetes.ts'
import { loadPolicies } from './policy/read-policies.ts'

const skip = whyNot()

function whyNot(): string | false {
  if (process.env['FLOWFORGE_TEST_CLUSTER'] !== '1') return 'FLOWFORGE_TEST_CLUSTER is not 1'
  const { status, stdout } = kubectl([
    'get',
    'crd',
    'servers.policy.linkerd.io',
    'grpcroutes.gateway.networking.k8s.io',
  ])
  return status === 0 ? false : `there is no cluster with Linkerd's and Gateway API's definitions: ${stdout.trim()}`
}

function kubectl(args: string[], input = ''): { status: number | null; stdout: string } {
  const { status, stdout, stderr, error } = spawnSync('kubectl', args, { input, encoding: 'utf8', timeout: 120_000 })
  return { status, stdout: `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}` }
}

/** A namespace that is gone after the test: a dry run needs one that exists. */
function ownNamespace(t: TestContext): string {
  const name = `flowforge-mesh-${randomBytes(4).toString('hex')}`
  equal(kubectl(['create', 'namespace', name]).status, 0)
  t.after(() => kubectl(['delete', 'namespace', name, '--wait=false']))
  return name
}

function tryOut(items: unknown[]): { status: number | null; stdout: string } {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
  return kubectl(['apply', '--dry-run=server', '--validate=strict', '-f', '-'], list)
}

test('an API server accepts every compiled object', { skip }, (t) => {
  const namespace = ownNamespace(t)
  const settings = { ...exampleSettings, namespace }
  for (const one of [settings, { ...settings, audit: true, retries: false }, { ...settings, mesh: false }]) {
    const resources = compiledObjects(loadPolicies(), one)
    const { status, stdout } = tryOut(resources)
    equal(status, 0, stdout)
    doesNotMatch(stdout, /warning/i)
    equal(stdout.match(/server dry run/g)?.length, resources.length)
  }
})

test('the same API server refuses what its definitions forbid', { skip }, (t) => {
  const namespace = ownNamespace(t)
  const resources = compiledObjects(loadPolicies(), { ...exampleSettings, namespace })
  const route = resources.find(({ kind }) => kind === 'GRPCRoute')!
  const { rules } = route.spec as { rules: unknown[] }
  const refused = tryOut([{ ...route, spec: { ...Object(route.spec), rules: Array(17).fill(rules[0]) } }])
  equal(refused.status, 1)
  match(refused.stdout, /Too many|must have at most 16 items/)
  const server = resources.find(({ kind }) => kind === 'Server')!
  equal(tryOut([{ ...server, spec: { ...Object(server.spec), port: undefined } }]).status, 1)
})
