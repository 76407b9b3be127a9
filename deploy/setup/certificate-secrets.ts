import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renewCertificates } from '@flowforge/local/certificates'
import { identityOf } from '@flowforge/runtime/identity'
import type { SecretData } from './kubernetes.ts'

const lifetimeMs = 14 * 24 * 3_600_000

interface CertificateSecrets {
  prefix: string
  namespace: string
  trustDomain: string
  /** `component` or `component=host`. */
  certificates: string[]
  /** An empty folder for the time of the call. */
  folder: string
  read(name: string): Promise<SecretData | undefined>
  write(name: string, data: SecretData): Promise<void>
}

/**
 * Renews the certificates that lie in Secrets as those in a folder are renewed: an authority is trusted by all before it
 * signs, a certificate is replaced when half of its 14 days is over. Running it every day leaves a week for repair.
 */
export async function renewCertificateSecrets(options: CertificateSecrets): Promise<void> {
  const { prefix, folder, namespace, trustDomain } = options
  const hosts = new Map(options.certificates.map((entry) => entry.split('=') as [string, string | undefined]))
  const parts = new Map([['ca', `${prefix}-authority`]])
  for (const component of hosts.keys()) parts.set(component, `${prefix}-certificates-${component}`)

  for (const [part, secret] of parts) fill(join(folder, part), (await options.read(secret)) ?? {})
  await renewCertificates({
    folder,
    components: [...hosts.keys()],
    identityOf: (component) => identityOf(component, { namespace, trustDomain }),
    hostsOf: (component) => hosts.get(component)?.split('+') ?? [],
    lifetimeMs,
  })
  for (const [part, secret] of parts) {
    const data = contents(join(folder, part))
    if (JSON.stringify(data) !== JSON.stringify(sorted((await options.read(secret)) ?? {})))
      await options.write(secret, data)
  }
}

function fill(folder: string, data: SecretData): void {
  mkdirSync(folder, { recursive: true })
  for (const [file, text] of Object.entries(data)) writeFileSync(join(folder, file), text, { mode: 0o600 })
}

function contents(folder: string): SecretData {
  return sorted(Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')])))
}

function sorted(data: SecretData): SecretData {
  return Object.fromEntries(Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1)))
}
