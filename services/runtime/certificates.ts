/** A process's own certificate and the CA it trusts, renewed while it runs. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { join } from 'node:path'
import { createSecureContext, type SecureContext } from 'node:tls'
import { experimental, type ChannelCredentials } from '@grpc/grpc-js'
import { ConfigError } from './config.ts'
import type { ServerTls } from './grpc/server.ts'
import { identityIn, scopeOf, type IdentityScope } from './identity.ts'
import type { Logger } from './log.ts'
import type { Tls } from '@flowforge/grpc/unary/channel'

type CaListener = experimental.CaCertificateUpdateListener
type IdentityListener = experimental.IdentityCertificateUpdateListener

/** Credentials that follow a folder's files. Connections made before a renewal live on; new ones use the new files. */
export interface CertificateSource {
  /** Who this process is. */
  readonly identity: string
  /** The namespace and trust domain that its own certificate names: peers must be of the same. */
  readonly scope: IdentityScope
  readonly serverTls: ServerTls
  channelCredentials(): ChannelCredentials
  /** The same for connections that are not grpc-js', to a server of this identity. */
  tlsTo(identity: string): Tls
  close(): void
}

interface Certificates {
  ca: Buffer
  certificate: Buffer
  key: Buffer
}

const fileNames = { ca: 'ca.pem', certificate: 'certificate.pem', key: 'key.pem' }

/**
 * Reads `ca.pem`, `certificate.pem` and `key.pem` of a folder and reads them again every second.
 *
 * Throws a ConfigError when they are missing or unusable at the start. Later, files that do not fit together (a
 * renewal caught half-way) are left alone until they do. Files are compared by content, since a mounted secret changes
 * by a symbolic link two levels up, which file watching does not see.
 */
export function watchCertificates(folder: string, log: Logger, pollMs = 1_000): CertificateSource {
  let current = readNow(folder)
  const identity = identityOfCertificate(current)
  const caListeners = new Set<CaListener>()
  const identityListeners = new Set<IdentityListener>()
  const renewalListeners = new Set<() => void>()
  let reported = ''

  const reread = async (): Promise<void> => {
    try {
      const next = await readAll(folder)
      if (isEqual(next, current)) return
      if (identityOfCertificate(next) !== identity) throw new Error(`the certificate is not of ${identity} any more`)
      current = next
      reported = ''
      for (const listener of caListeners) listener({ caCertificate: current.ca })
      for (const listener of identityListeners) listener(identityUpdate(current))
      for (const listener of renewalListeners) listener()
      log.info({ folder }, 'certificates renewed')
    } catch (error) {
      const { message } = error as Error
      if (message !== reported) log.warn({ folder, err: error }, 'certificates cannot be renewed yet')
      reported = message
    }
  }
  let timer = setTimeout(poll, pollMs).unref()
  function poll(): void {
    void reread().then(() => {
      if (!isClosed) timer = setTimeout(poll, pollMs).unref()
    })
  }
  let isClosed = false

  const provider: experimental.CertificateProvider = {
    addCaCertificateListener(listener) {
      caListeners.add(listener)
      // grpc-js reads its own state before it adds a listener; answering at once would be lost.
      process.nextTick(() => listener({ caCertificate: current.ca }))
    },
    removeCaCertificateListener: (listener) => void caListeners.delete(listener),
    addIdentityCertificateListener(listener) {
      identityListeners.add(listener)
      process.nextTick(() => listener(identityUpdate(current)))
    },
    removeIdentityCertificateListener: (listener) => void identityListeners.delete(listener),
  }
  return {
    identity,
    scope: scopeOf(identity)!,
    serverTls: {
      current: () => ({ ca: current.ca, cert: current.certificate, key: current.key }),
      onRenewed(listener) {
        renewalListeners.add(listener)
        return () => renewalListeners.delete(listener)
      },
    },
    channelCredentials: () => experimental.createCertificateProviderChannelCredentials(provider, provider),
    tlsTo: (serverName) => ({ serverName, context: () => contextOf(current) }),
    close() {
      isClosed = true
      clearTimeout(timer)
    },
  }
}

function readNow(folder: string): Certificates {
  try {
    const read = (name: string) => readFileSync(join(folder, name))
    const files = { ca: read(fileNames.ca), certificate: read(fileNames.certificate), key: read(fileNames.key) }
    identityOfCertificate(files)
    return files
  } catch (error) {
    throw new ConfigError(
      `FLOWFORGE_CERTIFICATES must be a folder with ca.pem, certificate.pem and key.pem, but is '${folder}': ${(error as Error).message}`,
    )
  }
}

async function readAll(folder: string): Promise<Certificates> {
  const read = (name: string) => readFile(join(folder, name))
  const [ca, certificate, key] = await Promise.all([
    read(fileNames.ca),
    read(fileNames.certificate),
    read(fileNames.key),
  ])
  return { ca, certificate, key }
}

/** Whose certificate this is; throws when the three files do not make usable credentials. */
function identityOfCertificate({ ca, certificate, key }: Certificates): string {
  const own = new X509Certificate(certificate)
  if (!own.checkPrivateKey(createPrivateKey(key))) throw new Error('key.pem does not belong to certificate.pem')
  new X509Certificate(ca)
  const identity = identityIn({ subjectaltname: own.subjectAltName ?? '' })
  if (identity === undefined) throw new Error('certificate.pem does not name one workload identity')
  return identity
}

const contexts = new WeakMap<Certificates, SecureContext>()

function contextOf(files: Certificates): SecureContext {
  let context = contexts.get(files)
  if (context === undefined) {
    context = createSecureContext({ ca: files.ca, cert: files.certificate, key: files.key })
    contexts.set(files, context)
  }
  return context
}

function identityUpdate({ certificate, key }: Certificates): experimental.IdentityCertificateUpdate {
  return { certificate, privateKey: key }
}

function isEqual(one: Certificates, other: Certificates): boolean {
  return one.ca.equals(other.ca) && one.certificate.equals(other.certificate) && one.key.equals(other.key)
}
