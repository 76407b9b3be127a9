/** What may go wrong, or must go right, with certificates. */
import { readdirSync, readFileSync, writeFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { createAuthority, issue, type KeyPair } from '@flowforge/local/certificate-authority'
import { certificateComponents } from '@flowforge/local/certificates'
import { identityOf } from '@flowforge/runtime/identity'
import type { Fault } from '../../fault.ts'
import { forMs, processesOf, type Scene } from '../scene.ts'
import { restartPart } from './restart.ts'

type Expire = Extract<Fault, { kind: 'expireCertificate' }>
type Deny = Extract<Fault, { kind: 'deny' }>

/** The SDK reads its files every 10 s, services every second. */
const allHaveReadMs = 12_000
const dayMs = 86_400_000
const expiresAfterMs = 3_000

/** Changes the authority as an operator should: trusted first, then it signs, then the old one is forgotten. */
export async function rotateCertificates(scene: Scene): Promise<void> {
  const { system, signal, note } = scene
  const folderOf = (component: string) => join(system.folder.certificates, component)
  const old = readFileSync(join(folderOf('tasks'), 'ca.pem'), 'utf8')
  const authority = await createAuthority(new Date(), 90 * dayMs)
  const trustAll = (bundle: string) => {
    for (const component of certificateComponents) write(join(folderOf(component), 'ca.pem'), bundle)
  }
  trustAll(old + authority.certificate)
  await forMs(allHaveReadMs, signal)
  note('both authorities are trusted; the new one signs from now on')
  for (const component of certificateComponents)
    writePair(folderOf(component), await issue(authority, [identityOf(component)], new Date(), dayMs))
  await forMs(allHaveReadMs, signal)
  trustAll(authority.certificate)
  await forMs(allHaveReadMs, signal)
  for (const { link, to } of system.links) if (to !== 'postgres') link.reset()
  note('the old authority is forgotten, and every connection was made anew')
  await forMs(2_000, signal)
}

/** Lets a part's certificate expire, with new connections, and renews it afterwards. */
export async function expireCertificate({ part, forMs: durationMs }: Expire, scene: Scene): Promise<void> {
  const { system, signal, note } = scene
  const folder = join(system.folder.certificates, part)
  const kept = readPair(folder)
  const authority = newestAuthority(join(system.folder.certificates, 'ca'))
  writePair(folder, await issue(authority, [identityOf(part)], new Date(), expiresAfterMs))
  await forMs(expiresAfterMs, signal)
  for (const { link, from } of system.links) if (from === part) link.reset()
  note(`the certificate of ${part} has expired, and its connections are gone`)
  await forMs(durationMs - expiresAfterMs, signal)
  writePair(folder, kept)
}

/** Gives a part an identity that no RPC lets in, while every service refuses it or only audits. */
export async function deny({ part, mode, forMs: durationMs }: Deny, scene: Scene): Promise<void> {
  if (mode === 'audit') await flipPolicy(mode, scene)
  const folder = join(scene.system.folder.certificates, part)
  const kept = readPair(folder)
  writePair(folder, readPair(join(scene.system.folder.certificates, 'accounts')))
  await restartPart(part, scene)
  scene.note(`${part} is let in nowhere`)
  await forMs(durationMs, scene.signal)
  scene.measured.audited = await audited(scene)
  writePair(folder, kept)
  await restartPart(part, scene)
  if (mode === 'audit') await flipPolicy('enforce', scene)
}

/** Restarts every service that judges its callers, one instance after the other, with another mode. */
async function flipPolicy(mode: Deny['mode'], scene: Scene): Promise<void> {
  for (const part of ['accounts', 'tasks', 'notifications'] as const) {
    for (const name of processesOf(scene, part)) scene.system.environments.get(name)!.FLOWFORGE_POLICY_MODE = mode
    await restartPart(part, scene)
  }
  scene.note(`policy is in the mode ${mode}`)
}

/** Calls against policy that were served nevertheless, by the counters of all services. */
async function audited({ system }: Scene): Promise<number> {
  const texts = await Promise.all(
    [...system.adminPorts.values()].map(async (port) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
  )
  const counts = texts.flatMap((text) => [
    ...text.matchAll(/^grpc_server_denied_total\{.*enforced="false".*\} (\d+)/gm),
  ])
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

function newestAuthority(folder: string): KeyPair {
  const number = Math.max(...readdirSync(folder).map((name) => Number.parseInt(name, 10)))
  const read = (kind: string) => readFileSync(join(folder, `${number}.${kind}.pem`), 'utf8')
  return { certificate: read('certificate'), key: read('key') }
}

function readPair(folder: string): KeyPair {
  const read = (name: string) => readFileSync(join(folder, `${name}.pem`), 'utf8')
  return { certificate: read('certificate'), key: read('key') }
}

function writePair(folder: string, { certificate, key }: KeyPair): void {
  write(join(folder, 'key.pem'), key)
  write(join(folder, 'certificate.pem'), certificate)
}

function write(file: string, content: string): void {
  writeFileSync(`${file}.new`, content, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}
