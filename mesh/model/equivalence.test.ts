import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { exampleSettings } from '../compile/installation.ts'
import { compiledObjects } from '../kubernetes.ts'
import { loadPolicies } from '../policy/read-policies.ts'
import { disagreements, modelOf, networkDisagreements } from './testing/disagreements.ts'
import { randomPolicies } from './testing/random-policies.ts'
import { codes } from './verdict.ts'

/** More is a command: `FLOWFORGE_EQUIVALENCE_RUNS=200000 npx node --test mesh/model/equivalence.test.ts`. */
const runs = Number(process.env['FLOWFORGE_EQUIVALENCE_RUNS'] ?? 10_000)

test('declaration, mesh and process agree about every caller and every RPC', (t) => {
  const asked = { questions: 0 }
  deepEqual(disagreements(loadPolicies(), exampleSettings, asked), [])
  t.diagnostic(`${asked.questions} questions`)
})

test('a mesh that only audits refuses nothing but what nobody serves', () => {
  const settings = { ...exampleSettings, audit: true }
  const objects = compiledObjects(loadPolicies(), settings)
  deepEqual(
    objects.filter(({ kind }) => kind === 'HTTPLocalRateLimitPolicy'),
    [],
  )
  for (const component of loadPolicies().components.keys()) {
    const model = modelOf(component, settings, objects)
    const judge = (path: string) => model.judge({ path, identity: undefined, atNs: 0 })
    for (const method of loadPolicies().methods.values()) {
      equal(judge(method.path), method.component === component ? codes.OK : codes.NOT_FOUND)
    }
  }
})

test('without a mesh, the network lets through exactly the call graph', () => {
  const settings = { ...exampleSettings, mesh: false }
  const objects = compiledObjects(loadPolicies(), settings)
  deepEqual(networkDisagreements(loadPolicies(), settings, objects, { questions: 0 }), [])
})

test(`declaration, mesh and process agree about ${runs} random policies`, (t) => {
  const asked = { questions: 0 }
  fc.assert(
    fc.property(randomPolicies, (policies) => deepEqual(disagreements(policies, exampleSettings, asked), [])),
    { numRuns: runs, seed: 20261121 },
  )
  ok(asked.questions > runs)
  t.diagnostic(`${asked.questions} questions`)
})
