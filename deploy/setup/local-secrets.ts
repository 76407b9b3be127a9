/**
 * `local-secrets.mjs FOLDER`, for containers without Kubernetes: the certificates of all components and the first API key, in
 * a folder that the others mount. Stays and renews the certificates.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { keepCertificatesFresh, renewCertificates } from '@flowforge/local/certificates'
import { identityOf } from '@flowforge/runtime/identity'
import { createLogger } from '@flowforge/runtime/log'

const [folder] = process.argv.slice(2)
if (folder === undefined) {
  process.stderr.write('usage: local-secrets.mjs FOLDER\n')
  process.exit(2)
}
const log = createLogger('setup', 'info')
const options = { folder: join(folder, 'certificates'), identityOf: (component: string) => identityOf(component) }
await renewCertificates(options)
const keyFile = join(folder, 'api-key/key')
if (!existsSync(keyFile)) {
  mkdirSync(join(folder, 'api-key'), { recursive: true, mode: 0o700 })
  writeFileSync(keyFile, `ff_${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
}
log.info({ folder }, 'written')
const renewal = keepCertificatesFresh(options, (line) => log.warn(line))
process.once('SIGTERM', () => renewal.stop())
