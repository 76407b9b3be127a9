import { deepEqual, equal, match, ok, throws } from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { root } from '../compiled-files.ts'
import { lint, rules } from './lint.ts'
import { readManifests } from './manifests.ts'

const folder = fileURLToPath(new URL('fixtures', import.meta.url))

function findings(name: string, streams?: ReadonlySet<string>) {
  const file = `${name}.yaml`
  return lint(readManifests(readFileSync(join(folder, file), 'utf8'), file), { streams, hasCni: false })
}

test('every rule has a fixture, and every fixture but the sound one a rule', () => {
  const names = readdirSync(folder).map((file) => file.replace('.yaml', ''))
  deepEqual(names.sort(), [...rules.map(({ id }) => id), 'sound'].sort())
  equal(new Set(rules.map(({ id }) => id)).size, rules.length)
  ok(rules.length >= 18)
})

test('sound manifests raise no finding', () => {
  deepEqual(findings('sound'), [])
})

for (const { id, title } of rules) {
  test(`${title} is found, and what it would do is said`, () => {
    const found = findings(id)
    const own = found.filter(({ rule }) => rule === id)
    ok(own.length > 0, `found only ${found.map(({ rule }) => rule).join()}`)
    for (const { message, object } of own) {
      match(message, /[.:,] .*\.$/)
      ok(object.source.line > 0)
    }
    // What else a fixture breaks must follow from the same fault.
    const allowed = [id, ...(alsoBroken[id] ?? [])]
    deepEqual(
      found.filter(({ rule }) => !allowed.includes(rule)).map(({ rule, message }) => `${rule}: ${message}`),
      [],
    )
  })
}

const alsoBroken: Record<string, string[]> = {
  'grpc-retry-without-route': ['policy-on-service'],
}

test('what is a stream is known from the contracts, if they are given', () => {
  equal(findings('stream-with-request-timeout', new Set(['/shop.v1.Shop/Get'])).length, 0)
  equal(findings('stream-with-request-timeout', new Set(['/shop.v1.Shop/WatchOrders'])).length, 1)
})

test('lists and several documents are read, and a text that is no YAML is refused with its line', () => {
  const list = 'kind: List\nitems:\n  - kind: Pod\n    metadata: {name: a}\n---\nkind: Pod\nmetadata: {name: b}\n---\n'
  deepEqual(
    readManifests(list, 'x').map(({ metadata, source }) => [metadata.name, source.line]),
    [
      ['a', 1],
      ['b', 6],
    ],
  )
  throws(() => readManifests('a: 1\nb: [', 'x.yaml'), /x\.yaml:\d+: /)
})

test('whatever is wrong with a manifest is said, and never a crash', () => {
  const wrong = [undefined, 'x', 5, {}, []]
  let tried = 0
  for (const file of readdirSync(folder)) {
    const whole = readManifests(readFileSync(join(folder, file), 'utf8'), file)
    for (const path of pathsIn(whole)) {
      const manifests = structuredClone(whole)
      const parent = path.slice(0, -1).reduce((at, step) => at[step] as Tree, manifests as unknown as Tree)
      const value = wrong[tried++ % wrong.length]
      if (value !== undefined) parent[path.at(-1)!] = value
      else if (!Array.isArray(parent)) delete parent[path.at(-1)!]
      lint(manifests, { streams: undefined, hasCni: false })
    }
  }
  ok(tried > 1_000)
})

test('a manifest that is not built as its kind demands is for the API server', () => {
  const text = 'apiVersion: policy.linkerd.io/v1beta3\nkind: Server\nmetadata: { name: a }\nspec: { podSelector: [] }'
  const found = lint(readManifests(text, 'x'), { streams: undefined, hasCni: false })
  deepEqual(
    found.map(({ rule, message }) => [rule, message]),
    [['malformed', 'is refused by the API server: spec.port is missing or no text or number.']],
  )
})

interface Tree {
  [step: string]: unknown
}

/** Every place in the manifests themselves. */
function pathsIn(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return []
  const steps = Object.keys(value).filter((step) => step !== 'source')
  const inner = steps.flatMap((step) => pathsIn((value as Tree)[step], [...path, step]))
  return path.length === 0 ? inner : [...steps.map((step) => [...path, step]), ...inner]
}

const hasHelm = spawnSync('helm', ['version']).status === 0

test('the chart in a mesh raises no finding', { skip: hasHelm ? false : 'helm is not on the PATH' }, () => {
  const args = ['template', 'flowforge', join(root, 'helm/flowforge'), '--kube-version', '1.35.0']
  const text = execFileSync('helm', [...args, '--namespace', 'ff', '--set', 'mesh.enabled=true'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  const manifests = readManifests(text, 'chart')
  // Helm leaves the namespace out where it is the release's.
  for (const { metadata } of manifests) metadata.namespace ??= 'ff'
  deepEqual(
    lint(manifests, { streams: undefined, hasCni: false }).map(
      ({ rule, object, message }) => `${rule} ${object.metadata.name} ${message}`,
    ),
    [],
  )
})
