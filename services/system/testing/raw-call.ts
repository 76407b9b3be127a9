/** gRPC calls past every client of ours: any path, any bytes, with or without a certificate. */
import { connect, constants, type ClientHttp2Session, type SecureClientSessionOptions } from 'node:http2'
import { Status } from '@flowforge/proto/google/rpc/status.ts'
import { codeName, fromRpcStatus } from '@flowforge/runtime/status'

/** What a server made of a call: `PERMISSION_DENIED CALLER_NOT_ALLOWED`, `served`, or `no connection`. */
export type Outcome = string

const deadlineMs = 20_000

/** Opens a connection; `tls` undefined means plaintext. Calls on a connection that does not come about say so. */
export function openConnection(address: string, tls: SecureClientSessionOptions | undefined) {
  const session = tls
    ? connect(`https://${address}`, { ...tls, servername: 'localhost', checkServerIdentity: () => undefined })
    : connect(`http://${address}`)
  // Each call on it tells how it ended.
  session.on('error', () => undefined)
  return {
    call: (path: string, message: Uint8Array, headers: Record<string, string> = {}) =>
      call(session, path, message, headers),
    close: () => session.destroy(),
  }
}

function call(
  session: ClientHttp2Session,
  path: string,
  message: Uint8Array,
  headers: Record<string, string>,
): Promise<Outcome> {
  if (session.destroyed) return Promise.resolve('no connection')
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${path} was not answered`)), deadlineMs)
    const settle = (outcome: Outcome): void => {
      clearTimeout(timer)
      resolve(outcome)
      stream.close(constants.NGHTTP2_CANCEL)
    }
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    })
    stream.on('response', (head) => {
      // An error without a message before it is in the first headers; whoever is served gets headers or trailers later.
      if (head['grpc-status'] !== undefined) settle(outcomeOf(head))
      else if (head[':status'] !== 200) settle(`HTTP ${head[':status']}`)
    })
    stream.on('data', () => settle('served'))
    stream.on('trailers', (trailers) => settle(outcomeOf(trailers)))
    stream.on('error', () => settle('no connection'))
    stream.on('close', () => settle('no connection'))
    const frame = Buffer.alloc(5 + message.length)
    frame.writeUInt32BE(message.length, 1)
    frame.set(message, 5)
    stream.end(frame)
  })
}

function outcomeOf(headers: NodeJS.Dict<string | string[]>): Outcome {
  const code = Number(headers['grpc-status'])
  if (code === 0) return 'served'
  const details = headers['grpc-status-details-bin']
  if (details === undefined) return codeName(code)
  const { reason } = fromRpcStatus(Status.decode(Buffer.from(String(details), 'base64')))
  return `${codeName(code)} ${reason}`
}
