/** Google's own client drives every RPC of ours that has an HTTP form: what it sends is what the service receives. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  create,
  fromBinary,
  fromJson,
  ScalarType,
  toBinary,
  toJson,
  type DescField,
  type DescMessage,
  type DescMethod,
  type JsonObject,
  type JsonValue,
} from '@bufbuild/protobuf'
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js'
import { fallback, protobuf } from 'google-gax'
import { descriptorRegistry, descriptorSet } from '@flowforge/proto/descriptors'
import { createTranscoder, grpcUpstream, type Route } from './transcoder/transcoder.ts'

const registry = descriptorRegistry()
const protos = join(import.meta.dirname, '../proto')
const methods = [...registry]
  .flatMap((type) => (type.kind === 'service' && type.typeName.startsWith('flowforge.') ? type.methods : []))
  .filter(({ methodKind }) => methodKind === 'unary' || methodKind === 'server_streaming')

type Stub = Record<
  string,
  (
    request: object,
    metadata: object,
    options: object,
    end: (error: Error | null, answer: object) => void,
  ) => AsyncIterable<object>
>

/** The answer of every RPC: its first string says which it is. */
function answerOf({ output, name }: DescMethod): Buffer {
  const field = output.fields.find(({ fieldKind, scalar }) => fieldKind === 'scalar' && scalar === ScalarType.STRING)
  return Buffer.from(toBinary(output, create(output, field && { [field.localName]: name })))
}

async function startBackend(received: Map<string, JsonValue>): Promise<{ server: Server; port: number }> {
  const server = new Server()
  const asIs = (bytes: Buffer): Buffer => bytes
  for (const service of new Set(methods.map(({ parent }) => parent))) {
    const served = methods.filter(({ parent }) => parent === service)
    const definition = (method: DescMethod) => ({
      path: `/${service.typeName}/${method.name}`,
      requestStream: false,
      responseStream: method.methodKind === 'server_streaming',
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    })
    const handler =
      (method: DescMethod) =>
      (
        call: { request: Buffer; write?(b: Buffer): void; end?(): void },
        done?: (error: null, answer: Buffer) => void,
      ) => {
        received.set(method.name, toJson(method.input, fromBinary(method.input, call.request), { registry }))
        if (done !== undefined) return done(null, answerOf(method))
        call.write!(answerOf(method))
        call.write!(answerOf(method))
        call.end!()
      }
    server.addService(
      Object.fromEntries(served.map((method) => [method.name, definition(method)])),
      Object.fromEntries(served.map((method) => [method.name, handler(method)])),
    )
  }
  const port = await new Promise<number>((resolve) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound)),
  )
  return { server, port }
}

/** A request with all that a path and a body can carry: what the path binds, and a value in every other simple field. */
function requestFor({ method, template, variables }: Route): JsonObject {
  const request = sample(method.input, 2)
  for (const [index, { path }] of variables.entries()) {
    const variable = template.variables[index]!
    const segments = template.segments.slice(variable.start, variable.end)
    const text = segments.map((segment) => (segment.kind === 'literal' ? segment.text : 'some-id')).join('/')
    let object = request
    const names = path.split('.').map((name) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()))
    for (const name of names.slice(0, -1)) object = (object[name] ??= {}) as JsonObject
    object[names.at(-1)!] = text
  }
  return request
}

const scalars: Partial<Record<ScalarType, JsonValue>> = {
  [ScalarType.STRING]: 'a text with ä & b',
  [ScalarType.BYTES]: 'AAH/',
  [ScalarType.BOOL]: true,
  [ScalarType.DOUBLE]: 1.5,
  [ScalarType.FLOAT]: 1.5,
  [ScalarType.INT64]: '7',
  [ScalarType.UINT64]: '7',
}
const wellKnown: Record<string, JsonValue> = {
  'google.protobuf.Timestamp': '2030-01-02T03:04:05.678Z',
  'google.protobuf.Duration': '1.500s',
  'google.protobuf.FieldMask': 'displayName',
}

function sample(message: DescMessage, depth: number): JsonObject {
  const object: JsonObject = {}
  const oneofs = new Set<string>()
  for (const field of message.fields) {
    if (field.oneof !== undefined && oneofs.has(field.oneof.name)) continue
    const value = valueOf(field, depth)
    if (value === undefined || field.fieldKind === 'map' || field.fieldKind === 'list') continue
    if (field.oneof !== undefined) oneofs.add(field.oneof.name)
    object[field.jsonName] = value
  }
  return object
}

function valueOf({ message, enum: choice, scalar }: DescField, depth: number): JsonValue | undefined {
  if (choice !== undefined) return choice.values.at(-1)!.name
  if (message === undefined) return scalars[scalar as ScalarType] ?? 7
  const known = wellKnown[message.typeName]
  if (known !== undefined) return known
  return depth === 0 || message.typeName.startsWith('google.') ? undefined : sample(message, depth - 1)
}

function loadService(typeName: string, files: string[]) {
  const root = new protobuf.Root()
  root.resolvePath = (_, target) =>
    target.startsWith('google/protobuf') ? null : join(protos, target.startsWith('google/') ? 'googleapis' : '', target)
  root.loadSync(files)
  return root.lookupService(typeName)
}

test('what Google’s client sends by REST arrives as it was meant, for every RPC with an HTTP rule', async (t) => {
  const received = new Map<string, JsonValue>()
  const { server, port } = await startBackend(received)
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
  const transcoder = createTranscoder({ descriptors: descriptorSet(), upstream: () => grpcUpstream(client) })
  const http = createServer((request, response) => void transcoder.handle(request, response))
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.after(() => {
    http.closeAllConnections()
    http.close()
    client.close()
    server.forceShutdown()
  })
  const auth = {
    fetch: (url: string, options: RequestInit) => fetch(url, { ...options, ...(options.body && { duplex: 'half' }) }),
    getRequestHeaders: async () => ({}),
  }
  const gax = new fallback.GrpcClient({ auth, numericEnums: true } as unknown as ConstructorParameters<
    typeof fallback.GrpcClient
  >[0])
  const routes = new Map(transcoder.routes.toReversed().map((route) => [route.method, route]))
  ok(routes.size > 30, `${routes.size} RPCs`)
  for (const service of new Set([...routes.keys()].map(({ parent }) => parent))) {
    const described = loadService(service.typeName, [`${service.file.name}.proto`])
    const options = { servicePath: '127.0.0.1', port: (http.address() as AddressInfo).port, protocol: 'http' }
    const stub = (await gax.createStub(described as never, options as never)) as unknown as Stub
    for (const [method, route] of routes) {
      if (method.parent !== service) continue
      await t.test(`${service.name}.${method.name}`, async () => {
        const request = requestFor(route)
        const canonical = toJson(method.input, fromJson(method.input, request, { registry }), { registry })
        const answers = await callStub(stub, method, toGax(described, method, request))
        deepEqual(received.get(method.name), canonical)
        equal(answers, method.methodKind === 'unary' ? 1 : 2)
      })
    }
  }
})

/** The request as an object of protobufjs, which is what applications of gax hold. */
function toGax(service: ReturnType<typeof loadService>, method: DescMethod, request: JsonObject): object {
  const type = service.methods[method.name]!.resolve() as unknown as {
    resolvedRequestType: typeof protobuf.Type.prototype
  }
  return type.resolvedRequestType.toObject(
    type.resolvedRequestType.decode(toBinary(method.input, fromJson(method.input, request, { registry }))),
  )
}

async function callStub(stub: Stub, { name, methodKind }: DescMethod, request: object): Promise<number> {
  const call = stub[name.charAt(0).toLowerCase() + name.slice(1)]!
  if (methodKind === 'unary') {
    await new Promise((resolve, reject) =>
      call(request, {}, {}, (error, answer) => (error ? reject(error) : resolve(answer))),
    )
    return 1
  }
  let count = 0
  for await (const _ of call(request, {}, {}, () => undefined)) count++
  return count
}
