/**
 * The development authority and the certificates of all components, in one folder:
 *
 *   ca/<n>.certificate.pem, ca/<n>.key.pem        authorities, the highest number is the newest
 *   <component>/{ca,certificate,key}.pem          what a process is given; ca.pem holds every valid authority
 *
 * A new authority is first only trusted. Once every process has had time to read it, it signs all certificates anew; the
 * old one goes when it expires. So neither a renewal nor a change of the authority ever fails a call.
 */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createAuthority, issue, type KeyPair } from './certificate-authority.ts'
import { writeAtomically } from './data-folder.ts'

/** Every identity of a local system; `operator` is the person at the keyboard. */
export const certificateComponents = ['gateway', 'tasks', 'accounts', 'notifications', 'worker', 'operator'] as const

const hourMs = 3_600_000
const leafLifetimeMs = 24 * hourMs - 10 * 60_000
const authorityLifetimeMs = 90 * 24 * hourMs
const authorityOverlapMs = 7 * 24 * hourMs
const authoritySettlesMs = hourMs

export interface CertificateOptions {
  folder: string
  identityOf: (component: string) => string
  /** Who gets a certificate; every identity of a local system when not given. */
  components?: readonly string[]
  /** More DNS names of a component's certificate: those of a server that is not of ours. */
  hostsOf?: (component: string) => string[]
  /** A certificate is renewed when half of this is over; just under a day when not given. */
  lifetimeMs?: number
  /** A new authority is made when the newest has less than this left; 7 days when not given. */
  overlapMs?: number
  /** How long processes may take to trust a new authority before it signs; an hour when not given. */
  settlesMs?: number
  now?: () => Date
}

interface Authority extends KeyPair {
  number: number
  x509: X509Certificate
}

/** Makes or renews whatever is missing or past half of its life; what is still good is not touched. */
export async function renewCertificates(options: CertificateOptions): Promise<void> {
  const { components = certificateComponents, hostsOf = () => [], lifetimeMs = leafLifetimeMs } = options
  const now = options.now?.() ?? new Date()
  const authorities = await renewAuthorities(join(options.folder, 'ca'), now, options.overlapMs ?? authorityOverlapMs)
  const bundle = authorities.map((authority) => authority.certificate).join('')
  // Trust first: nobody may meet a certificate whose authority it does not know yet.
  for (const component of components) {
    const folder = join(options.folder, component)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    replace(join(folder, 'ca.pem'), bundle)
  }
  const signer = signerOf(authorities, now, options.settlesMs ?? authoritySettlesMs)
  for (const component of components) {
    const folder = join(options.folder, component)
    const names: [string, ...string[]] = [options.identityOf(component), ...hostsOf(component)]
    if (isFresh(folder, names, signer, now)) continue
    const made = await issue(signer, names, now, lifetimeMs)
    replace(join(folder, 'key.pem'), made.key)
    replace(join(folder, 'certificate.pem'), made.certificate)
  }
}

/** Renews in the background until it is stopped; a failure is told and tried again. */
export function keepCertificatesFresh(
  options: CertificateOptions,
  onMessage: (line: string) => void,
): { stop(): void } {
  const renew = () =>
    renewCertificates(options).catch((error) =>
      onMessage(`certificates could not be renewed: ${(error as Error).message}`),
    )
  const timer = setInterval(renew, 5 * 60_000)
  return { stop: () => clearInterval(timer) }
}

async function renewAuthorities(folder: string, now: Date, overlapMs: number): Promise<[Authority, ...Authority[]]> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const [newest, ...older] = readAuthorities(folder).filter((authority) => isUsable(authority, folder, now))
  if (newest && newest.x509.validToDate.getTime() - now.getTime() > overlapMs) return [newest, ...older]
  const number = (newest?.number ?? 0) + 1
  const made = await createAuthority(now, authorityLifetimeMs)
  // The certificate comes last: an authority exists once it is there.
  replace(fileOf(folder, number, 'key'), made.key)
  replace(fileOf(folder, number, 'certificate'), made.certificate)
  const authority = { ...made, number, x509: new X509Certificate(made.certificate) }
  return newest ? [authority, newest, ...older] : [authority]
}

/** Newest first. */
function readAuthorities(folder: string): Authority[] {
  return readdirSync(folder)
    .flatMap((name) => /^(\d+)\.certificate\.pem$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => b - a)
    .map((number) => {
      const certificate = readFileSync(fileOf(folder, number, 'certificate'), 'utf8')
      return {
        number,
        certificate,
        key: readFileSync(fileOf(folder, number, 'key'), 'utf8'),
        x509: new X509Certificate(certificate),
      }
    })
}

function isUsable(authority: Authority, folder: string, now: Date): boolean {
  if (authority.x509.validToDate > now) return true
  rmSync(fileOf(folder, authority.number, 'certificate'))
  rmSync(fileOf(folder, authority.number, 'key'))
  return false
}

function signerOf(authorities: [Authority, ...Authority[]], now: Date, settlesMs: number): Authority {
  const isSettled = (authority: Authority) => now.getTime() - authority.x509.validFromDate.getTime() >= settlesMs
  // When none has settled, the oldest is the one that every process has known since its start.
  return authorities.find(isSettled) ?? authorities.at(-1)!
}

function isFresh(folder: string, names: string[], signer: Authority, now: Date): boolean {
  const files = { certificate: join(folder, 'certificate.pem'), key: join(folder, 'key.pem') }
  if (!existsSync(files.certificate) || !existsSync(files.key)) return false
  const certificate = new X509Certificate(readFileSync(files.certificate))
  const has = new Set(certificate.subjectAltName?.split(', '))
  const halfLife = (certificate.validFromDate.getTime() + certificate.validToDate.getTime()) / 2
  return (
    now.getTime() < halfLife &&
    names.every((name) => has.has(`DNS:${name}`)) &&
    certificate.checkPrivateKey(createPrivateKey(readFileSync(files.key))) &&
    certificate.verify(signer.x509.publicKey)
  )
}

function replace(file: string, content: string): void {
  if (existsSync(file) && readFileSync(file, 'utf8') === content) return
  writeAtomically(file, content)
}

function fileOf(folder: string, number: number, kind: 'certificate' | 'key'): string {
  return join(folder, `${number}.${kind}.pem`)
}
