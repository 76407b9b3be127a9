import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { PolicyError } from './problem.ts'
import { loadPolicies, readPolicies } from './read-policies.ts'
import { contractFile, contracts, lineIn } from './testing/contracts.ts'
import { good, isRefused, problemsOf, readReference, refused, rpc } from './testing/specification.ts'

for (const [what, services, problem] of refused) {
  test(`a contract with ${what} does not compile`, () => {
    ok(isRefused(readPolicies, services, problem), JSON.stringify(problemsOf(readPolicies, services)))
  })
}

test('every option is read, inherited or defaulted as its description says', () => {
  const { actual, wanted } = readReference(readPolicies)
  deepEqual(actual, wanted)
})

test('a problem names the line of the field that it is about', () => {
  const services = rpc('callers: COMPONENT_GATEWAY\n\n\ntimeout: "1.5s"')
  const [problem] = problemsOf(readPolicies, services)
  equal(problem?.source.line, lineIn(services, 'timeout:'))
  const error = new PolicyError([problem!])
  equal(
    error.message,
    `${contractFile}:${problem?.source.line}: flowforge.tasks.v1.S/Do has timeout "1.5s", which is a time that Linkerd cannot read; write an integer and one of ms, s, m, h, such as "1500ms"`,
  )
})

test('a service of a package that nobody serves does not compile', () => {
  const registry = contracts(rpc(good))
  for (const file of registry.files)
    if (file.proto.package === 'flowforge.tasks.v1') file.proto.package = 'flowforge.billing.v1'
  throws(() => readPolicies(registry), /served by billing, which is no component/)
})

test("FlowForge's own contracts compile, and every RPC is bounded", () => {
  const { methods, components } = loadPolicies()
  ok(methods.size >= 50)
  deepEqual([...components.keys()].sort(), ['accounts', 'notifications', 'tasks'])
  for (const { path, callers, timeoutMs, idleTimeoutMs, source } of methods.values()) {
    ok(callers.size > 0 && (timeoutMs ?? idleTimeoutMs ?? 0) > 0, path)
    ok(source.line > 0, path)
  }
})
