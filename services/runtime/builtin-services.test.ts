import { deepEqual, equal, rejects } from 'node:assert/strict'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { Metadata, status, type ServiceDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { service as healthDefinition } from 'grpc-health-check'
import type { Channel } from './client.ts'
import { until } from './testing/poll.ts'
import { unaryProbe } from './testing/probe.ts'
import { startTestServer } from './testing/server.ts'

const { Check: check, Watch: watch } = healthDefinition as ServiceDefinition

function checkHealth(channel: Channel, service: string): Promise<string> {
  return new Promise((resolve, reject) => {
    channel.client.makeUnaryRequest(
      check!.path,
      check!.requestSerialize,
      check!.responseDeserialize,
      { service },
      new Metadata(),
      { deadline: Date.now() + 5_000 },
      (error, response) => (error ? reject(error) : resolve((response as { status: string }).status)),
    )
  })
}

test('health is answered to every component, for the server and each of its services', async (t) => {
  const server = await startTestServer(t, 'accounts', [unaryProbe(async () => '')])
  equal(await checkHealth(server.dialAs('worker'), ''), 'SERVING')
  equal(await checkHealth(server.dialAs('operator'), 'flowforge.accounts.v1.AuthService'), 'SERVING')
  await rejects(checkHealth(server.dialAs('operator'), 'no.Service'), { code: status.NOT_FOUND })
})

test('who watches health sees a server that begins to stop', async (t) => {
  const server = await startTestServer(t, 'accounts', [unaryProbe(async () => '')])
  const stream = server
    .dialAs('gateway')
    .client.makeServerStreamRequest(watch!.path, watch!.requestSerialize, watch!.responseDeserialize, { service: '' })
  const seen: string[] = []
  stream.on('data', (response: { status: string }) => seen.push(response.status)).on('error', () => {})
  await until(() => seen.length === 1)
  server.health.drain()
  await until(() => seen.length === 2)
  deepEqual(seen, ['SERVING', 'NOT_SERVING'])
})

for (const version of ['v1', 'v1alpha']) {
  test(`reflection ${version} lists the server’s own services and describes them`, async (t) => {
    const server = await startTestServer(t, 'accounts', [unaryProbe(async () => '')])
    const { info } = reflectionDefinition(version)
    const stream = server
      .dialAs('operator')
      .client.makeBidiStreamRequest(info.path, info.requestSerialize, info.responseDeserialize)
    const ask = async (request: object) => {
      stream.write(request)
      return ((await once(stream, 'data')) as [ReflectionResponse])[0]
    }
    const listed = await ask({ listServices: '' })
    deepEqual(listed.listServicesResponse?.service, [{ name: 'flowforge.accounts.v1.AuthService' }])
    const described = await ask({ fileContainingSymbol: 'flowforge.accounts.v1.AuthService' })
    equal((described.fileDescriptorResponse?.fileDescriptorProto.length ?? 0) > 1, true, 'the file and what it imports')
    stream.end()
  })
}

interface ReflectionResponse {
  listServicesResponse?: { service: { name: string }[] }
  fileDescriptorResponse?: { fileDescriptorProto: Buffer[] }
}

function reflectionDefinition(version: string) {
  const folder = join(dirname(createRequire(import.meta.url).resolve('@grpc/reflection')), '../proto')
  const loaded = loadSync(join(folder, `grpc/reflection/${version}/reflection.proto`), { includeDirs: [folder] })
  const service = loaded[`grpc.reflection.${version}.ServerReflection`] as ServiceDefinition
  return { info: service.ServerReflectionInfo! }
}
