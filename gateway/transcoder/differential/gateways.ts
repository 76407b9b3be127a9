/** Both gateways before one service that echoes what it is sent. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, credentials, Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js'
import { buf, packageFolder } from '@flowforge/proto/buf'
import { createTranscoder, grpcUpstream } from '../transcoder.ts'
import { buildGrpcGateway } from './build.ts'
import { protoOf, type Method } from './templates.ts'

export interface Gateways {
  readonly ours: number
  readonly theirs: number
  readonly version: string
  stop(): void
}

/** Starts them; tells why not when grpc-gateway cannot be built here. */
export async function startGateways(methods: readonly Method[]): Promise<Gateways | { why: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'differential-'))
  const input = join(folder, 'proto')
  const descriptors = compile(input, protoOf(methods))
  const built = await buildGrpcGateway({
    input,
    paths: [join(input, 'differential')],
    service: 'differential.v1.Probe',
    folder: join(folder, 'go'),
  })
  if ('why' in built) {
    rmSync(folder, { recursive: true, force: true })
    return built
  }
  const backend = await startEcho(methods)
  const theirs = spawn(built.binary, [`127.0.0.1:${backend.port}`], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [line] = (await once(theirs.stdout, 'data')) as [Buffer]
  const client = new Client(`127.0.0.1:${backend.port}`, credentials.createInsecure())
  const transcoder = createTranscoder({ descriptors, upstream: () => grpcUpstream(client) })
  // A connection that is closed while a request is on its way would be no difference of theirs.
  const ours = createServer({ keepAliveTimeout: 0 }, (request, response) => void transcoder.handle(request, response))
  ours.listen(0, '127.0.0.1')
  await once(ours, 'listening')
  return {
    ours: (ours.address() as AddressInfo).port,
    theirs: Number(line.toString()),
    version: built.version,
    stop() {
      theirs.kill()
      ours.closeAllConnections()
      ours.close()
      client.close()
      backend.server.forceShutdown()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function compile(folder: string, proto: string): Buffer {
  mkdirSync(join(folder, 'differential/v1'), { recursive: true })
  writeFileSync(join(folder, 'differential/v1/probe.proto'), proto)
  const google = join(packageFolder('google-gax'), 'build/protos/google/api')
  for (const name of ['annotations', 'http'])
    cpSync(join(google, `${name}.proto`), join(folder, `google/api/${name}.proto`))
  writeFileSync(join(folder, 'buf.yaml'), 'version: v2\n')
  const file = join(folder, 'descriptors.binpb')
  buf(folder, 'build', '--as-file-descriptor-set', '--output', file)
  return readFileSync(file)
}

async function startEcho(methods: readonly Method[]): Promise<{ server: Server; port: number }> {
  const server = new Server()
  const asIs = (bytes: Buffer): Buffer => bytes
  const definition = (name: string) => ({
    path: `/differential.v1.Probe/${name}`,
    requestStream: false as const,
    responseStream: false as const,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  })
  const echo = ({ request }: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): void => done(null, request)
  server.addService(
    Object.fromEntries(methods.map(({ name }) => [name, definition(name)])),
    Object.fromEntries(methods.map(({ name }) => [name, echo])),
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  )
  return { server, port }
}
