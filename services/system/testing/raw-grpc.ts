import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client, credentials, status, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js'
import { identityOf } from '@flowforge/runtime/identity'

/** How a unary call ended; `body` is the answer if there is one. */
export interface RawAnswer {
  code: number
  details: string
  body: Buffer
}

/** Calls a method with bytes that nobody checked; `folder` holds the caller's certificate, none means a caller without. */
export async function callRaw(
  address: string,
  path: string,
  request: Buffer,
  { folder, ca, component = 'tasks' }: { folder?: string; ca: string; component?: string },
): Promise<RawAnswer> {
  return callWith(tls(ca, folder), address, path, request, component)
}

/** The same over a connection without TLS. */
export async function callPlain(address: string, path: string): Promise<RawAnswer> {
  return callWith(credentials.createInsecure(), address, path, Buffer.alloc(0), 'tasks')
}

function tls(ca: string, folder: string | undefined): ChannelCredentials {
  const read = (name: string) => (folder === undefined ? null : readFileSync(join(folder, name)))
  return credentials.createSsl(readFileSync(ca), read('key.pem'), read('certificate.pem'))
}

function callWith(
  channelCredentials: ChannelCredentials,
  address: string,
  path: string,
  request: Buffer,
  component: string,
): Promise<RawAnswer> {
  const name = identityOf(component)
  const client = new Client(address, channelCredentials, {
    'grpc.ssl_target_name_override': name,
    'grpc.default_authority': name,
    'grpc.enable_retries': 0,
  })
  const asIs = (bytes: Buffer): Buffer<ArrayBuffer> => Buffer.from(bytes)
  return new Promise<RawAnswer>((resolve) => {
    const onAnswer = (error: ServiceError | null, body = Buffer.alloc(0)) =>
      resolve({ code: error?.code ?? status.OK, details: error?.details ?? '', body })
    client.makeUnaryRequest(path, asIs, asIs, request, { deadline: new Date(Date.now() + 5_000) }, onAnswer)
  }).finally(() => client.close())
}
