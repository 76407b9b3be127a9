/** The certificate of the public port, read again when its files change. */
import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Server } from 'node:https'
import { ConfigError } from '@flowforge/runtime/config'
import type { Logger } from '@flowforge/runtime/log'

export interface TlsFiles {
  readonly certificate: string
  readonly key: string
}

export interface TlsContext {
  readonly cert: Buffer
  readonly key: Buffer
}

// By asking, since a mounted secret changes by a symbolic link that watching does not see.
const pollMs = 5_000

/** Reads certificate and key; throws a ConfigError when they cannot be used. */
export function readTls({ certificate, key }: TlsFiles): TlsContext {
  try {
    const context = { cert: readFileSync(certificate), key: readFileSync(key) }
    createSecureContext(context)
    return context
  } catch (error) {
    throw new ConfigError(
      `FLOWFORGE_TLS_CERTIFICATE and FLOWFORGE_TLS_KEY must be a certificate and its key, but ${(error as Error).message}; example: FLOWFORGE_TLS_CERTIFICATE=/etc/tls/tls.crt`,
    )
  }
}

/** Gives the server each new certificate; answers with how to stop that. */
export function followTls(server: Server, files: TlsFiles, log: Logger): () => void {
  const reread = (): void => {
    try {
      server.setSecureContext(readTls(files))
      log.info('the certificate of the public port was renewed')
    } catch (error) {
      // Half of a renewal: the other file is still to come.
      log.warn({ err: error }, 'the certificate of the public port cannot be renewed yet')
    }
  }
  const paths = [files.certificate, files.key]
  for (const path of paths) watchFile(path, { interval: pollMs, persistent: false }, reread)
  return () => paths.forEach((path) => unwatchFile(path, reread))
}
