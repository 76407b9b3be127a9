import { deepEqual, equal } from 'node:assert/strict'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../compiled-files.ts'
import { snapshot, type Snapshot } from '../outputs/snapshot.ts'
import { loadPolicies, readPolicies } from '../policy/read-policies.ts'
import { contracts } from '../policy/testing/contracts.ts'
import { diff } from './diff.ts'
import { unacknowledged } from './gate.ts'

/** The policy of one service with one idempotent RPC and its options. */
function policy(options: string, service = '', idempotency = 'option idempotency_level = IDEMPOTENT;'): Snapshot {
  const text = `service S { option (flowforge.mesh.v1.service_policy) = { ${service} };
    rpc Do(Empty) returns (Empty) { ${idempotency} option (flowforge.mesh.v1.policy) = { ${options} }; } }`
  return snapshot(readPolicies(contracts(text)))
}

const path = '/flowforge.tasks.v1.S/Do'
const plain = 'callers: COMPONENT_GATEWAY roles: ROLE_ADMIN timeout: "2s"'

const cases: [what: string, from: Snapshot, to: Snapshot, changes: string[]][] = [
  ['nothing', policy(plain), policy(plain), []],
  [
    'a caller that nothing let through before',
    policy(plain),
    policy(`${plain} callers: COMPONENT_WORKER`),
    [`widened worker may call ${path}`, 'widened worker reaches tasks over the network'],
  ],
  ['a role', policy(plain), policy(`${plain} roles: ROLE_VIEWER`), [`widened the role viewer may use ${path}`]],
  [
    'a role less',
    policy(`${plain} roles: ROLE_VIEWER`),
    policy(plain),
    [`noted the role viewer may no longer use ${path}`],
  ],
  [
    'a limit that is gone and one that is raised',
    policy(`${plain} rate: {requests_per_second: 5}`, 'mesh_rate: {requests_per_second: 5}'),
    policy(plain, 'mesh_rate: {requests_per_second: 6}'),
    [
      `widened ${path} is no longer limited to 5 calls per second`,
      'widened the port of tasks takes 6 calls per second instead of 5',
    ],
  ],
  [
    'a time',
    policy(plain),
    policy(plain.replace('2s', '9s')),
    [`noted ${path}: timeout is 9000 ms instead of 2000 ms`],
  ],
  [
    'retry safety',
    policy(`${plain} retry: {attempts: 2}`),
    policy(plain, '', ''),
    [
      `weakened ${path} is no longer safe to repeat`,
      `noted ${path}: retries {"attempts":2,"codes":["UNAVAILABLE"],"safeBy":"idempotency_level"} are now null`,
    ],
  ],
]

for (const [what, from, to, changes] of cases) {
  test(`a difference in ${what} is told for what it is`, () => {
    deepEqual(
      diff(from, to).map(({ kind, text }) => `${kind} ${text}`),
      changes,
    )
  })
}

test('a timeout that vanished is a weaker policy', () => {
  const from = policy(plain)
  const { timeoutMs: _, ...rest } = from.methods[path]!
  deepEqual(diff(from, { ...from, methods: { [path]: rest } }), [
    { kind: 'weakened', text: `${path}: timeout of 2000 ms is gone` },
  ])
})

test('a widening passes once a decision quotes it, and not before', () => {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-gate-'))
  mkdirSync(join(folder, 'docs/decisions'), { recursive: true })
  mkdirSync(join(folder, 'mesh'))
  writeFileSync(join(folder, 'mesh/baseline.json'), JSON.stringify(policy(plain)))
  const wider = policy(`${plain} roles: ROLE_VIEWER`)
  const [open] = unacknowledged(folder, wider)
  equal(open?.text, `the role viewer may use ${path}`)
  writeFileSync(join(folder, 'docs/decisions/0001-viewers.md'), `# Viewers\n\nAcknowledged: ${open.text}.\n`)
  deepEqual(unacknowledged(folder, wider), [])
})

test('no access of this tree is wider than what was released or decided', () => {
  deepEqual(unacknowledged(root, snapshot(loadPolicies())), [])
})
