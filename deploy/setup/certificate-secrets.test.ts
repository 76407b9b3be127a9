import { deepEqual, equal, notEqual } from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { renewCertificateSecrets } from './certificate-secrets.ts'
import type { SecretData } from './kubernetes.ts'

/** Secrets by name, as a cluster keeps them. */
function setup(t: TestContext) {
  const secrets = new Map<string, SecretData>()
  let written: string[] = []
  const renew = async (postgresHosts = 'db.apps.svc+db') => {
    const folder = mkdtempSync(join(tmpdir(), 'flowforge-certificate-secrets-'))
    t.after(() => rmSync(folder, { recursive: true }))
    written = []
    await renewCertificateSecrets({
      prefix: 'ff',
      namespace: 'apps',
      trustDomain: 'example.org',
      certificates: ['tasks', `postgres=${postgresHosts}`],
      folder,
      read: async (name) => secrets.get(name),
      write: async (name, data) => {
        written.push(name)
        secrets.set(name, data)
      },
    })
    return written.toSorted()
  }
  const certificate = (name: string) => new X509Certificate(secrets.get(name)!['certificate.pem']!)
  return { secrets, renew, certificate }
}

test('the first run makes an authority and a certificate for each, and the next one changes nothing', async (t) => {
  const { renew, certificate } = setup(t)
  deepEqual(await renew(), ['ff-authority', 'ff-certificates-postgres', 'ff-certificates-tasks'])
  const identity = 'tasks.apps.serviceaccount.identity.linkerd.example.org'
  equal(certificate('ff-certificates-tasks').checkHost(identity), identity)
  for (const host of ['db.apps.svc', 'db']) equal(certificate('ff-certificates-postgres').checkHost(host), host)
  deepEqual(await renew(), [])
})

test('a server that gets another name gets another certificate, and nobody else does', async (t) => {
  const { renew, certificate } = setup(t)
  await renew()
  deepEqual(await renew('db.apps.svc+db+db.example.org'), ['ff-certificates-postgres'])
  equal(certificate('ff-certificates-postgres').checkHost('db.example.org'), 'db.example.org')
})

test('a certificate that is gone is made again by the same authority', async (t) => {
  const { secrets, renew, certificate } = setup(t)
  await renew()
  const before = certificate('ff-certificates-tasks').serialNumber
  const { 'ca.pem': authority } = secrets.get('ff-certificates-tasks')!
  secrets.delete('ff-certificates-tasks')
  deepEqual(await renew(), ['ff-certificates-tasks'])
  notEqual(certificate('ff-certificates-tasks').serialNumber, before)
  equal(secrets.get('ff-certificates-tasks')!['ca.pem'], authority)
})
