import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { fromJson, type DescMessage, type JsonValue } from '@bufbuild/protobuf'
import { Validator } from '@seriousme/openapi-schema-validator'
import { descriptorRegistry, descriptorSet } from '@flowforge/proto/descriptors'
import { loadPolicies } from '@flowforge/runtime/policy'
import { canHaveRequestId } from '../idempotency.ts'
import { startBehind } from '../testing/setup.ts'
import { createTranscoder, grpcUpstream } from '../transcoder/transcoder.ts'
import { watchedFields } from '../watched.ts'
import { openApiDocument, type Operation } from './document.ts'
import { exampleOf } from './examples.ts'
import { apiPage } from './page.ts'

const { registry, routes } = createTranscoder({
  descriptors: descriptorSet(),
  upstream: (method) =>
    method.parent.typeName.startsWith('flowforge.') ? grpcUpstream(undefined as never) : undefined,
})
const document = openApiDocument({
  registry,
  routes,
  policies: loadPolicies(),
  version: '0.1.0',
  takesRequestId: canHaveRequestId,
  takesLastEventId: ({ method }) => watchedFields(method) !== undefined,
})
const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))

test('the document is OpenAPI 3.1', async () => {
  const { valid, errors } = await new Validator().validate(
    structuredClone(document) as unknown as Record<string, unknown>,
  )
  equal(valid, true, JSON.stringify(errors))
})

test('every binding of every RPC is described, by words of its own', () => {
  equal(operations.filter((operation) => 'x-grpc-method' in operation).length, routes.length)
  equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length)
  for (const { operationId, summary } of operations) ok(summary.length > 5, operationId)
})

test('each reference leads somewhere', () => {
  const text = JSON.stringify(document)
  const references = new Set(
    [...text.matchAll(/"\$ref":"#\/components\/(\w+)\/([\w.-]+)"/g)].map(([, kind, name]) => `${kind}/${name}`),
  )
  const known = Object.entries(document.components).flatMap(([kind, all]) =>
    Object.keys(all).map((name) => `${kind}/${name}`),
  )
  deepEqual(
    [...references].filter((reference) => !known.includes(reference)),
    [],
  )
})

test('roles, parameters and bodies are those of the contracts', () => {
  const create = document.paths['/v1/projects/{project}/tasks']!['post']!
  match(create.description, /Needs the role submitter or admin\.$/)
  deepEqual(
    create.parameters.map((parameter) => parameter['name'] ?? parameter['$ref']),
    ['project', 'requestId', ...['IdempotencyKey', 'RequestTimeout', 'Prefer', 'RequestId'].map(parameter)],
  )
  const watch = document.paths['/v1/projects/{project}/tasks/{task}:watch']!['get']!
  deepEqual(
    watch.parameters.map(({ name, $ref }) => name ?? $ref),
    ['project', 'task', 'etag', ...['LastEventId', 'RequestTimeout', 'Prefer', 'RequestId'].map(parameter)],
  )
  const list = document.paths['/v1/projects/{project}/tasks']!['get']!
  deepEqual(
    list.parameters.slice(0, 5).map(({ name, in: place }) => `${String(place)} ${String(name)}`),
    ['path project', 'query pageSize', 'query pageToken', 'query filter', 'query orderBy'],
  )
  const rename = document.paths['/v1/projects/{project}/users/{user}']!['patch']!
  deepEqual((rename['requestBody'] as { content: object }).content, {
    'application/json': {
      schema: { $ref: '#/components/schemas/User' },
      example: { displayName: 'Example' },
    },
  })
  deepEqual((document.components.schemas['Task']!['properties'] as Record<string, unknown>)['state'], {
    $ref: '#/components/schemas/TaskState',
    description: 'Where the task is in its life; docs/lifecycle.md has every arrow.',
    readOnly: true,
  })
})

const parameter = (name: string): string => `#/components/parameters/${name}`

for (const kind of ['request', 'answer'] as const) {
  test(`every example of a message in a${kind === 'answer' ? 'n' : ''} ${kind} is one`, () => {
    for (const { method } of routes) {
      const desc: DescMessage = kind === 'request' ? method.input : method.output
      const known = descriptorRegistry().getMessage(desc.typeName)!
      fromJson(known, exampleOf(registry, desc, kind) as JsonValue, { registry: descriptorRegistry() })
    }
  })
}

test('the page has every operation, runs nothing and takes nothing from elsewhere', () => {
  const page = apiPage(document)
  for (const { operationId } of operations as Operation[])
    ok(page.includes(`<article id="${operationId}">`), operationId)
  doesNotMatch(page, /<script|<link|<img|<iframe|@import|url\(/i)
  for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) ok(page.includes(`id="${target}"`), target)
})

test('both are served to everybody, conditionally, and only for reading', async (t) => {
  const behind = await startBehind(t)
  for (const [path, type] of [
    ['/openapi.json', 'application/json'],
    ['/docs', 'text/html; charset=utf-8'],
  ] as const) {
    const { status, headers, text } = await behind.call('GET', path, { key: '' })
    deepEqual([status, headers.get('content-type')], [200, type])
    ok(text.length > 10_000)
    const again = await behind.call('GET', path, { key: '', headers: { 'if-none-match': headers.get('etag')! } })
    equal(again.status, 304)
    equal((await behind.call('POST', path, { key: '', body: {} })).status, 405)
  }
})

const browser = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})

test(
  'a browser shows the page under its policy',
  { skip: browser === undefined && 'there is no chromium on the PATH' },
  async (t) => {
    const behind = await startBehind(t)
    const profile = mkdtempSync(join(tmpdir(), 'flowforge-browser-'))
    t.after(() => rmSync(profile, { recursive: true, force: true }))
    const options = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      `--user-data-dir=${profile}`,
      '--enable-logging=stderr',
      '--dump-dom',
    ]
    const { stdout, stderr } = await promisify(execFile)(
      browser!,
      [...options, `${behind.url}/docs#TaskService_CreateTask`],
      { timeout: 60_000 },
    )
    match(stdout, /id="TaskService_CreateTask"/)
    doesNotMatch(stderr, /Content.Security.Policy/i)
  },
)
