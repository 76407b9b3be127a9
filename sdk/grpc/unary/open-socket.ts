import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls, type SecureContext } from 'node:tls'
import type { Address } from './addresses.ts'

/** Whom we expect behind an address, and as whom we come. */
export interface Tls {
  /** The context of the certificates that hold now; asked for each new connection. */
  context(): SecureContext
  /** The DNS name that the server's certificate must carry. */
  readonly serverName: string
}

const connectMsMax = 10_000

/**
 * Opens a socket for HTTP/2, TLS handshake included; without `tls` in plaintext. `done` is called once, with a socket that
 * is connected or with why it is not.
 */
export function openSocket(
  { host, port }: Address,
  tls: Tls | undefined,
  done: (result: { socket: Socket } | { error: Error }) => void,
): Socket {
  const socket =
    tls === undefined
      ? connectPlain({ host, port })
      : connectTls({
          host,
          port,
          secureContext: tls.context(),
          servername: tls.serverName,
          ALPNProtocols: ['h2'],
          // Node checks the certificate against `servername`, whatever the address is.
        })
  const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${connectMsMax} ms`)), connectMsMax)
  const settled = (): void => {
    clearTimeout(timer)
    socket.off('error', onError)
    socket.off('close', onClose)
  }
  const onError = (error: Error): void => {
    settled()
    // Whatever else goes wrong with it concerns nobody any more.
    socket.on('error', () => undefined)
    socket.destroy()
    done({ error })
  }
  const onClose = (): void => onError(new Error('the server closed the connection'))
  socket.once('error', onError)
  socket.once('close', onClose)
  socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
    settled()
    if (tls !== undefined && 'alpnProtocol' in socket && socket.alpnProtocol !== 'h2')
      onError(new Error('the server does not speak HTTP/2'))
    else done({ socket })
  })
  return socket
}
