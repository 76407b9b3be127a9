import { match, ok, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { proofs } from './config.ts'
import { explore, printed } from './explore.ts'
import { asBuilt, leaseProtocol, usualBounds, wrong, type Bounds } from './lease-protocol.ts'

/** Together nearly what the usual bounds reach at once, in a fraction of the time. */
const parts: Bounds[] = [
  { workers: 2, sessions: 2, serials: 2, epochs: 1 },
  { workers: 2, sessions: 2, serials: 1, epochs: 2 },
  { workers: 2, sessions: 1, serials: 3, epochs: 3 },
  { workers: 1, sessions: 2, serials: 2, epochs: 2 },
]

for (const bounds of proofs.isNightly ? [...parts, usualBounds] : parts)
  test(`the protocol finishes a task once, loses none and accepts nothing stale: ${JSON.stringify(bounds)}`, (t) => {
    const { states, counterexample } = explore(leaseProtocol(asBuilt, bounds))
    equal(counterexample && printed(counterexample), undefined)
    t.diagnostic(`${states} states`)
    ok(states > 1_000, 'the model explores next to nothing')
  })

for (const { name, protocol, breaks, bounds } of wrong)
  test(`it would not if ${name}`, (t) => {
    const { counterexample } = explore(leaseProtocol(protocol, bounds))
    ok(counterexample, 'no counterexample was found')
    match(counterexample.violation, breaks)
    for (const line of printed(counterexample).split('\n')) t.diagnostic(line)
  })

test('the attempt alone would be fence enough, as long as nothing ever resets it', () => {
  const { counterexample } = explore(leaseProtocol({ ...asBuilt, fence: 'attempt' }, parts[0]))
  equal(counterexample && printed(counterexample), undefined)
})
