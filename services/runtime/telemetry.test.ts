import { deepEqual, equal, ok } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { json } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { testCertificates } from './testing/certificates.ts'

const fixture = fileURLToPath(new URL('testing/fixtures/traced-calls.ts', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))
const clientKind = 3
const serverKind = 2

interface ExportedSpan {
  name: string
  kind: number
  traceId: string
  spanId: string
  parentSpanId: string
}

interface Export {
  resourceSpans: { scopeSpans: { spans: ExportedSpan[] }[] }[]
}

/** What is sent to an OpenTelemetry collector. */
async function collector(t: TestContext): Promise<{ url: string; spans: ExportedSpan[] }> {
  const spans: ExportedSpan[] = []
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      for (const { scopeSpans } of (body as Export).resourceSpans) spans.push(...scopeSpans.flatMap((one) => one.spans))
      response.setHeader('content-type', 'application/json').end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans }
}

async function runFixture(t: TestContext, file: string, env: (url: string) => NodeJS.ProcessEnv) {
  const certificates = testCertificates()
  const folders = ['tasks', 'gateway', 'notifications', 'worker'].map((component) => certificates.folderFor(component))
  const { url, spans } = await collector(t)
  const { stdout } = await promisify(execFile)(process.execPath, [file], {
    env: { PATH: process.env.PATH, CERTIFICATES_ROOT: dirname(folders[0]!), ...env(url) },
    timeout: 20_000,
  })
  return { spans, stdout }
}

const on = (url: string) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' })

function assertOneTrace(spans: ExportedSpan[], stdout: string): void {
  const around = spans.find(({ name }) => name === 'fixture')!
  equal(around.parentSpanId, 'b'.repeat(16), 'the trace goes on from the traceparent that a table kept')
  for (const method of [
    'accounts.v1.AuthService/VerifyApiKey',
    'tasks.v1.EventService/StreamFinishedTasks',
    'tasks.v1.WorkerService/Work',
  ]) {
    const one = (kind: number) => spans.filter((span) => span.name === `flowforge.${method}` && span.kind === kind)
    const [client, server] = [one(clientKind), one(serverKind)]
    deepEqual([client.length, server.length], [1, 1], `${method} has one client and one server span`)
    equal(client[0]!.parentSpanId, around.spanId)
    equal(server[0]!.parentSpanId, client[0]!.spanId)
  }
  deepEqual([...new Set(spans.map(({ traceId }) => traceId))], ['a'.repeat(32)])
  ok(stdout.includes(`"trace_id":"${'a'.repeat(32)}"`), 'a line logged in the handler carries the trace')
}

test('client and server spans of unary and streaming calls are in one trace, from source', async (t) => {
  const { spans, stdout } = await runFixture(t, fixture, on)
  assertOneTrace(spans, stdout)
  ok(stdout.includes('"sdkLoaded":true'))
})

test('client and server spans of unary and streaming calls are in one trace, from a bundle', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-bundle-'))
  const outfile = join(folder, 'fixture.mjs')
  await build({
    entryPoints: [fixture],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
    // These two read .proto files beside themselves.
    external: ['grpc-health-check', '@grpc/reflection'],
    banner: {
      js: `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url),
        __filename = import.meta.filename, __dirname = import.meta.dirname`,
    },
  })
  mkdirSync(join(folder, 'gen'))
  cpSync(join(root, 'proto/gen/descriptors.binpb'), join(folder, 'gen/descriptors.binpb'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const { spans, stdout } = await runFixture(t, outfile, on)
  assertOneTrace(spans, stdout)
})

test('without an endpoint no span is made and nothing of the SDK is loaded', async (t) => {
  const { spans, stdout } = await runFixture(t, fixture, () => ({}))
  deepEqual(spans, [])
  ok(!stdout.includes('trace_id'))
  ok(stdout.includes('"sdkLoaded":false'))
})
