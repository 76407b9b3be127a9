import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { test } from 'node:test'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { get } from 'node:http'
import { defaultScope, identityOf } from '@flowforge/runtime/identity'
import { testCertificates } from '@flowforge/runtime/testing/certificates'
import { startBehind, type Behind } from './testing/setup.ts'

const path = '/v1/projects/a/tasks'
const origin = 'https://console.example'

test('every answer has a request ID, which goes on to the service, and security headers', async (t) => {
  const behind = await startBehind(t)
  const answer = await behind.call('GET', '/nowhere', { headers: { 'x-request-id': 'mine-1' } })
  deepEqual(
    ['x-request-id', 'x-content-type-options', 'x-frame-options', 'referrer-policy', 'cache-control'].map((name) =>
      answer.headers.get(name),
    ),
    ['mine-1', 'nosniff', 'DENY', 'no-referrer', 'no-store'],
  )
  match(answer.headers.get('content-security-policy') ?? '', /default-src 'none'/)
  equal(answer.headers.get('strict-transport-security'), null)
  const given = await behind.call('GET', path, { headers: { 'x-request-id': 'not fit for a log' } })
  match(given.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/)
  deepEqual(behind.calls[0]!.context.metadata.get('x-request-id'), [given.headers.get('x-request-id')])
})

test('OPTIONS tells the methods of a path without a key, and 404 where there is nothing', async (t) => {
  const behind = await startBehind(t)
  const answer = await behind.call('OPTIONS', path, { key: '' })
  deepEqual([answer.status, answer.headers.get('allow'), answer.text], [204, 'GET, HEAD, POST, OPTIONS', ''])
  equal(answer.headers.get('access-control-allow-methods'), null)
  equal((await behind.call('OPTIONS', '/nowhere', { key: '' })).status, 404)
})

test('whether it is alive is read without a key, and only read', async (t) => {
  const behind = await startBehind(t)
  const answer = await behind.call('GET', '/healthz', { key: '' })
  deepEqual([answer.status, answer.text], [200, 'ok\n'])
  const written = await behind.call('POST', '/healthz', { key: '', body: {} })
  deepEqual([written.status, written.headers.get('allow')], [405, 'GET, HEAD'])
  equal((await behind.call('OPTIONS', '/healthz', { key: '' })).headers.get('allow'), 'GET, HEAD, OPTIONS')
})

test('a HEAD is a GET without the body', async (t) => {
  const behind = await startBehind(t)
  behind.handlers['getTask'] = async () => ({ name: 'projects/a/tasks/1' })
  const [head, full] = [await behind.call('HEAD', `${path}/1`), await behind.call('GET', `${path}/1`)]
  deepEqual([head.status, head.text], [200, ''])
  for (const name of ['etag', 'content-length', 'content-type']) equal(head.headers.get(name), full.headers.get(name))
})

test('pages of configured origins may call, those of others may not', async (t) => {
  const behind = await startBehind(t, { FLOWFORGE_CORS_ORIGINS: origin })
  const preflight = await behind.call('OPTIONS', path, {
    key: '',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  })
  deepEqual(
    ['origin', 'methods', 'headers'].map((name) => preflight.headers.get(`access-control-allow-${name}`)),
    [origin, 'GET, HEAD, POST, OPTIONS', 'authorization,content-type'],
  )
  const answer = await behind.call('GET', path, { headers: { origin } })
  equal(answer.headers.get('access-control-allow-origin'), origin)
  match(answer.headers.get('access-control-expose-headers') ?? '', /x-cache/)
  match(answer.headers.get('vary') ?? '', /Origin/)
  const other = await behind.call('GET', path, { headers: { origin: 'https://elsewhere.example' } })
  deepEqual(
    [other.headers.get('access-control-allow-origin'), other.headers.get('vary')?.includes('Origin')],
    [null, true],
  )
})

test('what was read is not sent again while it is the same', async (t) => {
  const behind = await startBehind(t)
  behind.handlers['listTasks'] = async () => ({ tasks: [{ name: 'projects/a/tasks/1' }] })
  const first = await behind.call('GET', path)
  const etag = first.headers.get('etag') ?? ''
  match(etag, /^W\/".{27}"$/)
  equal(first.headers.get('cache-control'), 'private, no-cache')
  const again = await behind.call('GET', path, { headers: { 'if-none-match': `"other", ${etag}` } })
  deepEqual([again.status, again.text, again.headers.get('etag')], [304, '', etag])
  behind.handlers['listTasks'] = async () => ({})
  equal((await behind.call('GET', path, { headers: { 'if-none-match': etag } })).status, 200)
  equal((await behind.call('POST', path, { body: { type: 'echo' } })).headers.get('etag'), null)
})

for (const [accepted, coding, decode] of [
  ['gzip, br', 'br', brotliDecompressSync],
  ['gzip', 'gzip', gunzipSync],
  ['br;q=0, *', 'gzip', gunzipSync],
  ['gzip;q=0, identity', undefined, (bytes: Buffer) => bytes],
  ['', undefined, (bytes: Buffer) => bytes],
] as const) {
  test(`a large answer to 'Accept-Encoding: ${accepted}' is ${coding ?? 'not compressed'}`, async (t) => {
    const behind = await startBehind(t)
    behind.handlers['getTask'] = async () => ({ name: 'projects/a/tasks/1', labels: { text: 'x'.repeat(5_000) } })
    const { headers, body } = await raw(behind, `${path}/1`, accepted)
    equal(headers['content-encoding'], coding)
    match(String(headers.vary), /Accept-Encoding/)
    equal(JSON.parse(decode(body).toString()).labels.text.length, 5_000)
    behind.handlers['getTask'] = async () => ({ name: 'projects/a/tasks/1' })
    equal((await raw(behind, `${path}/1`, accepted)).headers['content-encoding'], undefined)
  })
}

function raw(behind: Behind, at: string, encoding: string) {
  const headers = { authorization: 'Bearer admin', 'accept-encoding': encoding }
  return new Promise<{ headers: NodeJS.Dict<string | string[]>; body: Buffer }>((resolve, reject) => {
    get(behind.url + at, { headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }))
    }).once('error', reject)
  })
}

test('paths that will go away say since when and until when', async (t) => {
  const behind = await startBehind(t, { FLOWFORGE_DEPRECATED_PATHS: '/v1/projects/a=2027-01-01/2027-07-01' })
  const { headers } = await behind.call('GET', path)
  deepEqual([headers.get('deprecation'), headers.get('sunset')], ['@1798761600', 'Thu, 01 Jul 2027 00:00:00 GMT'])
  equal((await behind.call('GET', '/v1/projects/ab')).headers.get('deprecation'), null)
})

test('the gateway speaks TLS when it is given a certificate, and then asks browsers to insist on it', async (t) => {
  const folder = testCertificates().folderFor('gateway')
  const behind = await startBehind(t, {
    FLOWFORGE_TLS_CERTIFICATE: join(folder, 'certificate.pem'),
    FLOWFORGE_TLS_KEY: join(folder, 'key.pem'),
  })
  const hsts = await new Promise((resolve, reject) => {
    request(
      {
        host: '127.0.0.1',
        port: behind.gateway.port,
        path: '/healthz',
        servername: identityOf('gateway', defaultScope),
        ca: readFileSync(join(folder, 'ca.pem')),
      },
      (response) => resolve(response.resume().headers['strict-transport-security']),
    )
      .once('error', reject)
      .end()
  })
  equal(hsts, 'max-age=31536000; includeSubDomains')
})

test('behind a proxy of ours that ended TLS browsers are asked to insist on it too', async (t) => {
  const headers = { 'x-forwarded-proto': 'https' }
  const trusting = await startBehind(t, { FLOWFORGE_TRUSTED_PROXIES: '127.0.0.1' })
  ok((await trusting.call('GET', path, { headers })).headers.has('strict-transport-security'))
  const wary = await startBehind(t)
  equal((await wary.call('GET', path, { headers })).headers.has('strict-transport-security'), false)
})
