import { equal, match, ok, throws } from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { watchCertificates } from './certificates.ts'
import { dial } from './client.ts'
import type { KeyPair } from '@flowforge/local/certificate-authority'
import { otherAuthority, testAuthority, testCertificates } from './testing/certificates.ts'
import { quietLog, recordingLog } from './testing/log.ts'
import { until } from './testing/poll.ts'
import { askUnary, changedPolicy, unaryPath, unaryProbe } from './testing/probe.ts'
import { startTestServer } from './testing/server.ts'

test('certificates and their authority are renewed under load without a failed call', async (t) => {
  // Nobody retries, so that none hides a failure.
  const settings = { retryOwner: 'mesh' } as const
  const policies = changedPolicy(unaryPath, { retry: undefined })
  const server = await startTestServer(t, 'accounts', [unaryProbe(async (text) => text)], { policies, settings })
  const { certificates } = server
  const { log, lines } = recordingLog()
  const gateway = certificates.workloadOf('gateway', log, settings)
  t.after(() => gateway.close())
  let isRunning = true
  let calls = 0
  const load = Array.from({ length: 4 }, async (_, index) => {
    const kept = server.dialAs('gateway')
    while (isRunning) {
      equal(await askUnary(kept, `${index}`), `${index}`)
      // A channel of its own connects anew, with whatever certificates hold at this moment.
      const fresh = dial({ address: server.address, component: 'accounts', workload: gateway, log, policies })
      equal(await askUnary(fresh, 'anew'), 'anew')
      fresh.close()
      calls += 1
    }
  })
  const renew = async (...authorities: KeyPair[]) => {
    const renewals = () =>
      [server.lines, lines].map((all) => all.filter(({ msg }) => msg === 'certificates renewed').length)
    const before = renewals()
    await Promise.all([certificates.renew('accounts', authorities), certificates.renew('gateway', authorities)])
    await until(() => renewals().every((count, side) => count > before[side]!))
    const callsBefore = calls
    await until(() => calls > callsBefore + 5)
  }
  const next = await otherAuthority()
  // First both are trusted, then the new one signs, then the old one is forgotten.
  const renewing = renew(testAuthority, next)
    .then(() => renew(next, testAuthority))
    .then(() => renew(next))
    .finally(() => (isRunning = false))
  await Promise.all([renewing, ...load])
  ok(calls > 15)
})

test('a renewal caught half-way is left alone until it is whole', async (t) => {
  const certificates = testCertificates()
  const folder = certificates.folderFor('tasks')
  const { log, lines } = recordingLog()
  const source = watchCertificates(folder, log, 10)
  t.after(() => source.close())
  writeFileSync(join(folder, 'key.pem'), 'half a ke')
  await until(() => lines.some(({ msg }) => msg === 'certificates cannot be renewed yet'))
  await certificates.renew('tasks')
  await until(() => lines.some(({ msg }) => msg === 'certificates renewed'))
})

test('a process without usable certificates does not start, and one line says what is wrong', () => {
  const empty = mkdtempSync(join(tmpdir(), 'flowforge-empty-'))
  throws(
    () => watchCertificates(empty, quietLog),
    /^ConfigError: FLOWFORGE_CERTIFICATES must be a folder with .* ENOENT/,
  )
  const certificates = testCertificates()
  const folder = certificates.folderFor('tasks')
  writeFileSync(join(folder, 'key.pem'), 'no key')
  throws(
    () => watchCertificates(folder, quietLog),
    (error: Error) => {
      match(error.message, /^FLOWFORGE_CERTIFICATES .*[^\n]$/)
      return !error.message.includes('\n')
    },
  )
})
