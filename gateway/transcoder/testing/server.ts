import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fromBinary, fromJson, toBinary, toJson, type DescMessage, type JsonValue } from '@bufbuild/protobuf'
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedHandleCall,
} from '@grpc/grpc-js'
import { createTranscoder, grpcUpstream, type Transcoder, type TranscoderOptions } from '../transcoder.ts'
import { exampleDescriptors, exampleRegistry } from './example.ts'

const registry = exampleRegistry()
const descriptors = exampleDescriptors()
const service = registry.getService('example.v1.Library')!

/** What the example's service saw and can be told. */
export interface Example {
  readonly url: string
  readonly transcoder: Transcoder
  /** Requests as the reference decodes them, and their metadata, newest last. */
  readonly seen: { method: string; request: JsonValue; metadata: Metadata; deadline: Date | number }[]
  /** Answers by method; an Error is one with `code`, `details` and perhaps `metadata`. */
  readonly answers: Map<string, JsonValue | Error>
  /** What a stream does; it ends by itself unless this is set. */
  onStream: ((call: ServerWritableStream<Buffer, Buffer>, write: (book: JsonValue) => boolean) => void) | undefined
}

/** Starts the example's gRPC service and a transcoder before it, both on real sockets, until the test ends. */
export async function startExample(
  t: { after(fn: () => void): void },
  options: Partial<TranscoderOptions> = {},
): Promise<Example> {
  const example: Omit<Example, 'url' | 'transcoder'> = { seen: [], answers: new Map(), onStream: undefined }
  const grpc = new Server()
  grpc.addService(definition(), handlers(example))
  const port = await new Promise<number>((resolve, reject) =>
    grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  )
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  const transcoder = createTranscoder({ descriptors, upstream: () => grpcUpstream(client), ...options })
  const http = createServer((request, response) => void transcoder.handle(request, response))
  http.on('checkContinue', (request, response) => void transcoder.handle(request, response))
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.after(() => {
    http.closeAllConnections()
    http.close()
    client.close()
    grpc.forceShutdown()
  })
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  return Object.assign(example, { url, transcoder })
}

const asIs = (bytes: Buffer): Buffer => bytes

function definition() {
  return Object.fromEntries(
    service.methods.map((method) => [
      method.name,
      {
        path: `/${service.typeName}/${method.name}`,
        requestStream: false,
        responseStream: method.methodKind === 'server_streaming',
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: asIs,
        responseDeserialize: asIs,
      },
    ]),
  )
}

function handlers(example: Omit<Example, 'url' | 'transcoder'>): Record<string, UntypedHandleCall> {
  return Object.fromEntries(
    service.methods.map((method) => {
      const see = (call: ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>): void => {
        const request = toJson(method.input, fromBinary(method.input, call.request), { registry })
        example.seen.push({
          method: method.name,
          request,
          metadata: call.metadata,
          deadline: call.getDeadline() as number,
        })
      }
      if (method.methodKind === 'server_streaming') {
        return [
          method.name,
          (call: ServerWritableStream<Buffer, Buffer>) => {
            see(call)
            if (example.onStream === undefined) return call.end()
            example.onStream(call, (book) => call.write(bytesOf(method.output, book)))
          },
        ]
      }
      return [
        method.name,
        (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
          see(call)
          const answer = example.answers.get(method.name) ?? {}
          if (answer instanceof Error) return done(answer)
          const metadata = new Metadata()
          metadata.set('x-served-by', 'library')
          call.sendMetadata(metadata)
          done(
            null,
            bytesOf(
              method.output,
              method.name === 'Echo' && answer !== undefined && Object.keys(answer as object).length === 0
                ? example.seen.at(-1)!.request
                : answer,
            ),
          )
        },
      ]
    }),
  )
}

function bytesOf(desc: DescMessage, json: JsonValue): Buffer {
  return Buffer.from(toBinary(desc, fromJson(desc, json, { registry })))
}

/** An error with `google.rpc` details, as a service sends it. */
export function errorWithDetails(code: number, message: string, details: JsonValue[]): Error {
  const desc = registry.getMessage('google.rpc.Status') ?? undefined
  const metadata = new Metadata()
  if (desc) metadata.set('grpc-status-details-bin', bytesOf(desc, { code, message, details }))
  return Object.assign(new Error(message), { code, details: message, metadata })
}
