import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { exampleSettings } from '../compile/installation.ts'
import type * as Kubernetes from '../kubernetes.ts'
import { disagreements } from '../model/testing/disagreements.ts'
import { randomPolicies } from '../model/testing/random-policies.ts'
import type * as ReadPolicies from '../policy/read-policies.ts'
import { loadPolicies } from '../policy/read-policies.ts'
import { isRefused, readReference, refused } from '../policy/testing/specification.ts'
import type { Policies } from '../policy/policy.ts'
import { mutations } from './mutations.ts'

const mesh = new URL('..', import.meta.url).href

/** Loads a module of the compiler anew, with everything of the compiler that it imports, and one mutation made. */
const hooks = registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context)
    const mutation = context.parentURL && new URL(context.parentURL).searchParams.get('mutation')
    const isCompiler = resolved.url.startsWith(mesh) && !resolved.url.includes('?')
    return mutation && isCompiler ? { ...resolved, url: `${resolved.url}?mutation=${mutation}` } : resolved
  },
  load(url, context, next) {
    const loaded = next(url, context)
    const number = new URL(url).searchParams.get('mutation')
    const mutation = number === null ? undefined : mutations[Number(number)]
    if (!mutation || !new URL(url).pathname.endsWith(`/mesh/${mutation.file}`)) return loaded
    return {
      ...loaded,
      source: Buffer.from(loaded.source as Uint8Array)
        .toString()
        .replace(mutation.find, () => mutation.replace),
    }
  },
})
after(() => hooks.deregister())

/** The real policies, and some that have what those do not: rates, names in common, long names. */
const samples: Policies[] = [loadPolicies(), ...fc.sample(randomPolicies, { numRuns: 150, seed: 7 })]

/** The first thing that is not as it must be. */
async function noticed(number: number): Promise<string | undefined> {
  return (await noticedInReading(number)) ?? (await noticedInMeaning(number))
}

async function noticedInReading(number: number): Promise<string | undefined> {
  const { readPolicies } = (await import(`../policy/read-policies.ts?mutation=${number}`)) as typeof ReadPolicies
  try {
    const { actual, wanted } = readReference(readPolicies)
    deepEqual(actual, wanted)
  } catch (error) {
    return (error as Error).message
  }
  const missed = refused.find(([, services, problem]) => !isRefused(readPolicies, services, problem))
  return missed && `a contract with ${missed[0]} compiles`
}

async function noticedInMeaning(number: number): Promise<string | undefined> {
  const { compiledObjects } = (await import(`../kubernetes.ts?mutation=${number}`)) as typeof Kubernetes
  for (const policies of samples) {
    const [first] = disagreements(policies, exampleSettings, { questions: 0 }, compiledObjects)
    if (first) return first
  }
  return undefined
}

test('without a bug nothing is noticed', async () => {
  equal(await noticed(mutations.length), undefined)
})

for (const [number, { bug, file, find }] of mutations.entries()) {
  test(`it is noticed when ${bug}`, async (t) => {
    const source = readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), 'utf8')
    equal(source.split(find).length, 2, `${file} holds this once: ${find}`)
    const first = await noticed(number)
    ok(first, 'nobody noticed')
    t.diagnostic(first)
  })
}
