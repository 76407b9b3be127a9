/** A certificate authority for one test process, and folders of certificates that processes can be started with. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthority, issue, type KeyPair } from '@flowforge/local/certificate-authority'
import { watchCertificates } from '../certificates.ts'
import { identityOf, type IdentityScope } from '../identity.ts'
import type { Logger } from '../log.ts'
import { mtlsWorkload } from '../mtls-workload.ts'
import { components } from '../policy.ts'
import { quietLog } from './log.ts'
import type { Workload, WorkloadSettings } from '../workload.ts'

const hourMs = 3_600_000
// Made while the module loads, so that `testCertificates` itself can answer at once.
const authority = await createAuthority(new Date(), hourMs)
const keyPairs = new Map<string, KeyPair>(
  await Promise.all(components.map(async (component) => [component, await makeKeyPair(authority, component)] as const)),
)

const roots: string[] = []
process.once('exit', () => roots.forEach((root) => rmSync(root, { recursive: true, force: true })))

export interface TestCertificates {
  /** A folder with ca.pem, certificate.pem and key.pem of a component. */
  folderFor(component: string): string
  /** The same, opened: what `startServer` and `dial` want. */
  workloadOf(component: string, log?: Logger, settings?: Partial<WorkloadSettings>): Workload
  /** Writes a new certificate into a component's folder; `authorities` are the ones to trust, the signer first. */
  renew(component: string, authorities?: KeyPair[], scope?: IdentityScope): Promise<void>
}

/** Certificates of one authority for every component, in folders of their own. */
export function testCertificates(): TestCertificates {
  const root = mkdtempSync(join(tmpdir(), 'flowforge-certificates-'))
  roots.push(root)
  const folderFor = (component: string): string => {
    const folder = join(root, component)
    const keyPair = keyPairs.get(component)
    if (!keyPair) throw new Error(`${component} is not a component`)
    if (mkdirSync(folder, { recursive: true })) write(folder, keyPair, [authority])
    return folder
  }
  return {
    folderFor,
    workloadOf: (component, log = quietLog, settings) =>
      mtlsWorkload(watchCertificates(folderFor(component), log, 20), {
        policyMode: 'enforce',
        retryOwner: 'process',
        ...settings,
      }),
    async renew(component, authorities = [authority], scope) {
      write(folderFor(component), await makeKeyPair(authorities[0]!, component, scope), authorities)
    },
  }
}

/** The authority that signs what `testCertificates` hands out. */
export const testAuthority: KeyPair = authority

/** Another authority, for strangers and for renewals. */
export function otherAuthority(): Promise<KeyPair> {
  return createAuthority(new Date(), hourMs)
}

function makeKeyPair(signer: KeyPair, component: string, scope?: IdentityScope): Promise<KeyPair> {
  return issue(signer, [identityOf(component, scope)], new Date(), hourMs)
}

function write(folder: string, { certificate, key }: KeyPair, trusted: KeyPair[]): void {
  const files = {
    'ca.pem': trusted.map((one) => one.certificate).join(''),
    'certificate.pem': certificate,
    'key.pem': key,
  }
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, `.${name}`), content, { mode: 0o600 })
    renameSync(join(folder, `.${name}`), join(folder, name))
  }
}
