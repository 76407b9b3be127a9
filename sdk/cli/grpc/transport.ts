import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client as GrpcClient, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type { Call } from '@flowforge/sdk/client-calls'
import { FlowForgeError } from '@flowforge/sdk/client-error'
import type { JsonObject } from '@flowforge/sdk/client-resources'
import type { CallOptions, Transport } from '@flowforge/sdk/client-transport'
import { ProtoJson, type LoaderMessage } from './proto-json.ts'
import { reflect } from './reflect.ts'
import { errorOfCall } from './status-details.ts'

interface Method extends Pick<MethodDefinition<object, LoaderMessage>, 'path' | 'requestSerialize'> {
  responseDeserialize: (bytes: Buffer) => LoaderMessage
  json: ProtoJson
  requestType: string
  responseType: string
}

/** Where the tasks service listens, and what proves who calls. */
export interface GrpcOptions {
  /** `host:port`. */
  address: string
  /** The name in the service's certificate. */
  serverName: string
  /** A folder with `ca.pem`, `certificate.pem` and `key.pem` of an identity that the service lets in. */
  certificates: string
}

const responseBytesMax = 64 * 1024 * 1024

/** A channel to the tasks service over mTLS. */
export function dial({ address, serverName, certificates }: GrpcOptions): GrpcClient {
  const [ca, key, certificate] = ['ca.pem', 'key.pem', 'certificate.pem'].map((file) =>
    readFileSync(join(certificates, file)),
  )
  return new GrpcClient(address, credentials.createSsl(ca, key, certificate), {
    'grpc.ssl_target_name_override': serverName,
    'grpc.default_authority': serverName,
    'grpc.max_receive_message_length': responseBytesMax,
    // The client above this transport repeats, and knows which calls it may repeat.
    'grpc.enable_retries': 0,
  })
}

/** Speaks gRPC to a tasks service itself, with types that the service describes by reflection. */
export function grpcTransport(client: GrpcClient): Transport {
  const services = new Map<string, Promise<Map<string, Method>>>()

  async function method(call: Call): Promise<Method> {
    const [service = '', name = ''] = call.rpc.split('/')
    if (!services.has(service)) services.set(service, describe(client, `flowforge.tasks.v1.${service}`))
    const found = (await services.get(service))?.get(name)
    if (!found)
      throw new FlowForgeError('UNIMPLEMENTED', `${client.getChannel().getTarget()} does not serve ${call.rpc}`)
    return found
  }

  return {
    async unary(call, request, options) {
      const known = await method(call).catch(explain)
      const message = known.json.toMessage(known.requestType, request) as object
      const answer = await unary(client, known, message, options).catch(explain)
      return known.json.toJson(known.responseType, answer) as JsonObject
    },
    async *stream(call, request, options) {
      const known = await method(call).catch(explain)
      const message = known.json.toMessage(known.requestType, request) as object
      const stream = client.makeServerStreamRequest(
        known.path,
        known.requestSerialize,
        known.responseDeserialize,
        message,
      )
      const abort = () => stream.cancel()
      options.signal?.addEventListener('abort', abort)
      try {
        for await (const answer of stream) yield known.json.toJson(known.responseType, answer) as JsonObject
      } catch (error) {
        options.signal?.throwIfAborted()
        explain(error)
      } finally {
        options.signal?.removeEventListener('abort', abort)
        stream.cancel()
      }
    },
    close: () => client.close(),
  }
}

async function describe(client: GrpcClient, serviceName: string): Promise<Map<string, Method>> {
  const { definition, files } = await reflect(client, serviceName)
  const json = new ProtoJson(files)
  const described = files.flatMap((file) =>
    (file.service ?? []).filter(({ name }) => serviceName === `${file.package}.${name}`),
  )
  const types = new Map(described.flatMap(({ method = [] }) => method.map((it) => [it.name, it])))
  return new Map(
    Object.entries(definition).map(([name, it]) => [
      name,
      {
        path: it.path,
        requestSerialize: it.requestSerialize,
        responseDeserialize: it.responseDeserialize as (bytes: Buffer) => LoaderMessage,
        json,
        requestType: json.resolve(types.get(name)?.inputType, `.${serviceName}`),
        responseType: json.resolve(types.get(name)?.outputType, `.${serviceName}`),
      },
    ]),
  )
}

function unary(client: GrpcClient, method: Method, message: object, options: CallOptions): Promise<LoaderMessage> {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + (options.timeoutMs ?? 30_000)
    const { path, requestSerialize, responseDeserialize } = method
    const done = (error: ServiceError | null, answer?: LoaderMessage) => (error ? reject(error) : resolve(answer ?? {}))
    const metadata = new Metadata()
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
      metadata,
      { deadline },
      done,
    )
    options.signal?.addEventListener('abort', () => call.cancel(), { once: true })
  })
}

function explain(error: unknown): never {
  throw error instanceof FlowForgeError ? error : errorOfCall(error as ServiceError)
}
