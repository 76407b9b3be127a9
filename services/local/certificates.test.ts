import { deepEqual, equal, notEqual, ok } from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { certificateComponents, renewCertificates } from './certificates.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const identityOf = (component: string) => `${component}.flowforge.serviceaccount.identity.linkerd.cluster.local`

function setup(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-certificates-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const start = Date.now()
  const file = (component: string, name: string) => readFileSync(join(folder, component, name), 'utf8')
  const leaf = (component: string) => new X509Certificate(file(component, 'certificate.pem'))
  const authorities = (component: string) =>
    file(component, 'ca.pem')
      .split(/(?<=-----END CERTIFICATE-----\n)/)
      .filter((pem) => pem.trim() !== '')
  const renewAt = (ms: number) => renewCertificates({ folder, identityOf, now: () => new Date(start + ms) })
  return { folder, file, leaf, authorities, renewAt }
}

test('every component gets a certificate of at most a day for its own identity', async (t) => {
  const { folder, leaf, renewAt } = setup(t)
  await renewAt(0)
  for (const component of certificateComponents) {
    const certificate = leaf(component)
    ok(certificate.validToDate.getTime() - certificate.validFromDate.getTime() <= dayMs)
    const names = `DNS:${identityOf(component)}, DNS:localhost, IP Address:127.0.0.1`
    equal(certificate.subjectAltName, names)
    equal(statSync(join(folder, component, 'key.pem')).mode & 0o777, 0o600)
  }
})

test('two components prove their identities to each other', async (t) => {
  const { file, renewAt } = setup(t)
  await renewAt(0)
  const credentials = (component: string) => ({
    ca: file(component, 'ca.pem'),
    cert: file(component, 'certificate.pem'),
    key: file(component, 'key.pem'),
  })
  const server = createServer({ ...credentials('tasks'), requestCert: true, rejectUnauthorized: true })
  t.after(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const accepted = new Promise<TLSSocket>((resolve) => server.once('secureConnection', resolve))
  const { port } = server.address() as { port: number }
  const client = connect({ ...credentials('gateway'), port, host: '127.0.0.1', servername: identityOf('tasks') })
  await new Promise((resolve, reject) => client.once('secureConnect', resolve).once('error', reject))
  const caller = (await accepted).getPeerX509Certificate()
  equal(caller?.checkHost(identityOf('gateway')), identityOf('gateway'))
  client.destroy()
})

test('a certificate is renewed at half of its life and not before', async (t) => {
  const { leaf, renewAt } = setup(t)
  await renewAt(0)
  const first = leaf('tasks').serialNumber
  await renewAt(11 * hourMs)
  equal(leaf('tasks').serialNumber, first)
  await renewAt(12 * hourMs)
  notEqual(leaf('tasks').serialNumber, first)
})

test('a new authority is trusted before it signs, and the old one until it expires', async (t) => {
  const { leaf, authorities, renewAt } = setup(t)
  await renewAt(0)
  const [old] = authorities('tasks')
  await renewAt(84 * dayMs)
  const [fresh] = authorities('tasks')
  deepEqual(authorities('gateway'), [fresh, old])
  ok(leaf('tasks').verify(new X509Certificate(old!).publicKey))
  await renewAt(84 * dayMs + 13 * hourMs)
  deepEqual(authorities('gateway'), [fresh, old])
  ok(leaf('tasks').verify(new X509Certificate(fresh!).publicKey))
  await renewAt(91 * dayMs)
  deepEqual(authorities('gateway'), [fresh])
})

test('after years without a start everything is made anew', async (t) => {
  const { leaf, authorities, renewAt } = setup(t)
  await renewAt(0)
  await renewAt(800 * dayMs)
  equal(authorities('tasks').length, 1)
  ok(leaf('tasks').verify(new X509Certificate(authorities('tasks')[0]!).publicKey))
})
