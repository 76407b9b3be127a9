import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { splitAddress } from '@flowforge/grpc/split-address'
import { UnaryChannel, type Tls as ChannelTls } from '@flowforge/grpc/unary/channel'
import { Metadata, type MethodDefinition, type ServiceDefinition } from '@grpc/grpc-js'
import type { CallOptions } from './client-transport.ts'
import { readable, type ConnectionOptions, type Tls } from './connection.ts'

interface Typed<Req, Res> {
  requestStream: false
  responseStream: false
  requestSerialize(value: Req): Buffer
  responseSerialize(value: Res): Buffer
}

/** A promise for each unary RPC of a service, by its camelCase name. Errors are grpc-js' ServiceErrors. */
export type GrpcClient<D> = {
  [K in keyof D as D[K] extends Typed<never, never> ? K : never]: D[K] extends Typed<infer Req, infer Res>
    ? (request: Req, options?: CallOptions) => Promise<Res>
    : never
} & { close(): void }

const timeoutMs = 30_000
const answerBytesMax = 32 * 1024 * 1024
/** Of a call that no server has seen. */
const attemptsMax = 5

/**
 * Opens a client for the unary RPCs of one of FlowForge's services: `grpcClient(TaskServiceService, { address, tls })`.
 *
 * Connects with the first call. It is made for many small calls at a time and costs a fraction of grpc-js' own client;
 * nothing is repeated that a server may have seen.
 */
export function grpcClient<D extends ServiceDefinition>(definition: D, options: ConnectionOptions): GrpcClient<D> {
  const { address, tls } = options
  const channel = new UnaryChannel({
    target: address,
    tls: tls && channelTls(tls, splitAddress(address).host),
    answerBytesMax,
    attemptsMax,
  })
  const unary = Object.entries(definition).filter(([, method]) => !method.requestStream && !method.responseStream)
  const methods = unary.map(([name, method]) => [
    name,
    (request: unknown, callOptions: CallOptions = {}) => call(channel, method, request, callOptions),
  ])
  return { ...Object.fromEntries(methods), close: () => channel.close() } as GrpcClient<D>
}

function call(
  channel: UnaryChannel,
  { path, requestSerialize, responseDeserialize }: MethodDefinition<unknown, unknown>,
  request: unknown,
  { signal, timeoutMs: mostMs = timeoutMs }: CallOptions,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const onAbort = (): void => outgoing.cancel()
    const message = requestSerialize(request)
    const outgoing = channel.call(
      { path, message, metadata: new Metadata(), deadline: Date.now() + mostMs },
      (error, answer) => {
        signal?.removeEventListener('abort', onAbort)
        if (error) reject(signal?.aborted ? signal.reason : error)
        else resolve(responseDeserialize(answer!))
      },
    )
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

function channelTls(tls: Tls, host: string): ChannelTls {
  const { serverName = host } = tls
  if (!('folder' in tls)) {
    const context = createSecureContext({ ca: tls.ca, cert: tls.certificate, key: tls.key })
    return { serverName, context: () => context }
  }
  const files = ['ca.pem', 'certificate.pem', 'key.pem'].map((file) => readable(join(tls.folder, file)))
  // Read for each connection, so that renewing them needs no restart.
  const context = () => {
    const [ca, cert, key] = files.map((file) => readFileSync(file))
    return createSecureContext({ ca: ca!, cert: cert!, key: key! })
  }
  return { serverName, context }
}
