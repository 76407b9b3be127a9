/**
 * Makes the Secrets of an installation that nobody else made, and renews its certificates. Runs before each install and
 * upgrade, and every day; what is there and still good is not touched.
 *
 *     <prefix>-admin-key                 key: the first API key, an admin of projects/default
 *     <prefix>-database-<role>           username, password: of each component, and of the trial database's owner
 *     <prefix>-redis                     password: of the trial Redis
 *     <prefix>-authority                 the authorities that sign, with their keys: only this job may read it
 *     <prefix>-certificates-<component>  ca.pem, certificate.pem, key.pem
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@flowforge/runtime/log'
import { renewCertificateSecrets } from './certificate-secrets.ts'
import { read, secretsSpec } from './config.ts'
import { openSecrets, type SecretData } from './kubernetes.ts'

const config = read(secretsSpec)
const log = createLogger('setup', 'info')
const secrets = openSecrets(config.server)
const labels = {
  'app.kubernetes.io/name': 'flowforge',
  'app.kubernetes.io/instance': config.release,
  'app.kubernetes.io/part-of': 'flowforge',
  'app.kubernetes.io/component': 'setup',
  'app.kubernetes.io/managed-by': 'flowforge-setup',
}

if (config.adminKey === 'true')
  await ensure('admin-key', () => ({ key: `ff_${randomBytes(32).toString('base64url')}` }))
for (const role of config.databaseRoles) {
  const username = role === 'owner' ? 'postgres' : `flowforge_${role}`
  await ensure(`database-${role}`, () => ({ username, password: randomBytes(32).toString('base64url') }))
}
if (config.redis === 'true') await ensure('redis', () => ({ password: randomBytes(32).toString('base64url') }))
if (config.certificates.length > 0) {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'))
  await renewCertificateSecrets({ ...config, folder, read: secrets.read, write })
}

async function ensure(name: string, make: () => SecretData): Promise<void> {
  if ((await secrets.read(`${config.prefix}-${name}`)) === undefined) await write(`${config.prefix}-${name}`, make())
}

async function write(name: string, data: SecretData): Promise<void> {
  await secrets.write(name, data, labels)
  log.info({ secret: name }, 'written')
}
