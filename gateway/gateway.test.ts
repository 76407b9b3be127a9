import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { registry } from '@flowforge/runtime/metrics'
import { alreadyExists, notFound, unavailable } from '@flowforge/runtime/status'
import { until } from '@flowforge/runtime/testing/poll'
import { startBehind, type Behind } from './testing/setup.ts'

const tasksPath = '/v1/projects/a/tasks'

test('a task is created for the principal of the key', async (t) => {
  const behind = await startBehind(t)
  behind.handlers['createTask'] = async (request: { task: { type: string } }) => ({
    name: 'projects/a/tasks/1',
    type: request.task.type,
  })
  const answer = await behind.call('POST', tasksPath, { key: 'submitter', body: { type: 'echo' } })
  deepEqual([answer.status, answer.text], [200, '{"name":"projects/a/tasks/1","type":"echo"}'])
  const { context } = behind.calls[0]!
  deepEqual(
    [context.principal, context.project, context.component],
    ['projects/a/apiKeys/submitter', 'projects/a', 'gateway'],
  )
})

for (const [method, path, key, code, reason] of [
  ['GET', tasksPath, '', 401, 'API_KEY_MISSING'],
  ['GET', tasksPath, 'wrong', 401, 'API_KEY_INVALID'],
  ['POST', tasksPath, 'viewer', 403, 'ROLE_MISSING'],
  ['POST', `${tasksPath}:lease`, 'submitter', 403, 'ROLE_MISSING'],
  ['POST', '/v1/projects', 'submitter', 403, 'ROLE_MISSING'],
  ['GET', '/v1/projects/b/tasks/1', 'admin', 403, 'OTHER_PROJECT'],
  ['GET', '/v1/projects/ab/tasks/1', 'admin', 403, 'OTHER_PROJECT'],
  ['GET', '/v1/projects/-/tasks/1', 'admin', 403, 'OTHER_PROJECT'],
  ['GET', '/v1/projects/a%2F..%2Fb/tasks/1', 'admin', 403, 'OTHER_PROJECT'],
  ['PATCH', '/v1/projects/b', 'admin', 403, 'OTHER_PROJECT'],
] as const) {
  test(`${method} ${path} with the key '${key}' is ${code} ${reason}`, async (t) => {
    const behind = await startBehind(t)
    const answer = await behind.call(method, path, { key, ...(method !== 'GET' && { body: {} }) })
    deepEqual([answer.status, answer.error.code, answer.error.details[0]?.reason], [code, code, reason])
    equal(answer.headers.has('www-authenticate'), code === 401)
    equal(behind.calls.length, 0)
  })
}

for (const [method, path, key] of [
  ['GET', tasksPath, 'viewer'],
  ['GET', '/v1/projects', 'viewer'],
  ['GET', '/v1/projects/a', 'worker'],
  ['POST', '/v1/projects', 'admin'],
  ['POST', `${tasksPath}:lease`, 'worker'],
] as const) {
  test(`${method} ${path} with the key '${key}' is let through`, async (t) => {
    const behind = await startBehind(t)
    equal((await behind.call(method, path, { key, ...(method === 'POST' && { body: {} }) })).status, 200)
  })
}

/** Waits until the gateway hears of changed keys, by a change of `admin`. */
async function watching(behind: Behind): Promise<void> {
  await behind.call('GET', tasksPath)
  const before = behind.verifications
  await behind.tellKeysChanged(['projects/a/apiKeys/admin'])
  await until(async () => (await behind.call('GET', tasksPath)).status === 200 && behind.verifications > before)
}

test('a key is verified once for many requests, and a wrong one too', async (t) => {
  const behind = await startBehind(t)
  await watching(behind)
  for (const [key, status] of [
    ['viewer', 200],
    ['wrong', 401],
  ] as const) {
    const before = behind.verifications
    const answers = await Promise.all(Array.from({ length: 20 }, () => behind.call('GET', tasksPath, { key })))
    deepEqual(
      new Set([...answers, await behind.call('GET', tasksPath, { key })].map((answer) => answer.status)),
      new Set([status]),
    )
    equal(behind.verifications - before, 1)
  }
})

test('a key that changed is verified anew at once, and every key when changes were missed', async (t) => {
  const behind = await startBehind(t, { FLOWFORGE_KEY_CACHE: '1m' })
  const verifications = async (keys: string[]): Promise<number> => {
    const before = behind.verifications
    for (const key of keys) equal((await behind.call('GET', tasksPath, { key })).status, 200)
    return behind.verifications - before
  }
  await behind.tellKeysChanged()
  await until(async () => (await verifications(['admin', 'viewer'])) === 0)
  await behind.tellKeysChanged(['projects/a/apiKeys/admin'])
  await until(async () => (await verifications(['admin'])) === 1)
  equal(await verifications(['admin', 'viewer']), 0)
  await behind.tellKeysChanged()
  await until(async () => (await verifications(['admin', 'viewer'])) === 2)
})

test('services for services are not reachable from outside', async (t) => {
  const behind = await startBehind(t)
  for (const path of [
    '/flowforge.accounts.v1.AuthService/VerifyApiKey',
    '/flowforge.tasks.v1.EventService/StreamFinishedTasks',
    '/flowforge.tasks.v1.TaskService/GetTask',
  ]) {
    equal((await behind.call('POST', path, { body: {} })).status, 404)
  }
})

test('nobody outside sets the principal', async (t) => {
  const behind = await startBehind(t)
  await behind.call('GET', tasksPath, {
    headers: {
      'grpc-metadata-flowforge-principal': 'projects/b/apiKeys/x',
      'flowforge-principal': 'x',
      'grpc-metadata-flowforge-project': 'projects/b',
    },
  })
  deepEqual(behind.calls[0]!.context.metadata.get('flowforge-principal'), ['projects/a/apiKeys/admin'])
  deepEqual(behind.calls[0]!.context.metadata.get('flowforge-project'), ['projects/a'])
})

const requestId = (call: { request: unknown } | undefined): unknown =>
  (call?.request as { requestId?: unknown } | undefined)?.requestId

test('Idempotency-Key is the request ID; without one the gateway gives its own', async (t) => {
  const behind = await startBehind(t)
  await behind.call('POST', tasksPath, { body: { type: 'echo' }, headers: { 'idempotency-key': '"key-1"' } })
  equal(requestId(behind.calls[0]), 'key-1')
  await behind.call('POST', tasksPath, { body: { type: 'echo' } })
  await behind.call('POST', tasksPath, { body: { type: 'echo' } })
  match(String(requestId(behind.calls[1])), /^[0-9a-f-]{36}$/)
  notEqual(requestId(behind.calls[1]), requestId(behind.calls[2]))
  await behind.call('POST', tasksPath, { body: { type: 'echo', requestId: 'mine' } })
  equal(requestId(behind.calls[3]), '')
  const contradiction = await behind.call('POST', tasksPath, {
    body: { requestId: 'mine' },
    headers: { 'idempotency-key': 'other' },
  })
  deepEqual(
    [
      contradiction.status,
      contradiction.error.details.find((detail) => detail.fieldViolations)?.fieldViolations?.[0]?.field,
    ],
    [400, 'request_id'],
  )
})

test('another body under a used Idempotency-Key is 422', async (t) => {
  const behind = await startBehind(t)
  behind.handlers['createTask'] = () =>
    Promise.reject(alreadyExists('REQUEST_ID_REUSED', 'request ID key-1 was used for another task'))
  const headers = { 'idempotency-key': 'key-1' }
  const { status, error } = await behind.call('POST', tasksPath, { body: { type: 'echo' }, headers })
  deepEqual(
    [status, error.code, error.status, error.details[0]?.reason],
    [422, 422, 'ALREADY_EXISTS', 'REQUEST_ID_REUSED'],
  )
  behind.handlers['createTask'] = () => Promise.reject(alreadyExists('UNIQUE_KEY_USED', 'another task has this key'))
  equal((await behind.call('POST', tasksPath, { body: { type: 'echo' }, headers })).status, 409)
})

test('Idempotency-Key of a batch becomes a request ID for each item', async (t) => {
  const behind = await startBehind(t)
  await behind.call('POST', `${tasksPath}:batchCreate`, {
    body: { requests: [{ task: {} }, { task: { requestId: 'mine' } }] },
    headers: { 'idempotency-key': 'k' },
  })
  const { requests } = behind.calls[0]!.request as { requests: { requestId: string; task: { requestId: string } }[] }
  deepEqual(
    requests.map((item) => [item.requestId, item.task.requestId]),
    [
      ['k-0', ''],
      ['', 'mine'],
    ],
  )
})

test('a service that is started again was never gone, not even for calls that may not be repeated', async (t) => {
  const behind = await startBehind(t)
  equal((await behind.call('GET', tasksPath)).status, 200)
  await behind.stopTasks()
  const answers = [
    behind.call('GET', `${tasksPath}/1`),
    behind.call('POST', tasksPath, { body: { type: 'echo' } }),
    // It was not sent, so this does not send it again.
    behind.call('POST', `${tasksPath}:lease`, { body: {} }),
  ]
  await behind.startTasks()
  deepEqual(
    (await Promise.all(answers)).map((answer) => answer.status),
    [200, 200, 200],
  )
})

test('every attempt of a repeated create carries the same request ID', async (t) => {
  const behind = await startBehind(t)
  let attempts = 0
  behind.handlers['createTask'] = () =>
    ++attempts < 2 ? Promise.reject(unavailable('DRAINING', 'not now')) : Promise.resolve({})
  equal((await behind.call('POST', tasksPath, { body: { type: 'echo' } })).status, 200)
  equal(new Set(behind.calls.map(requestId)).size, 1)
})

test('what may not be repeated is called once', async (t) => {
  const behind = await startBehind(t)
  behind.handlers['leaseTasks'] = () => Promise.reject(unavailable('DRAINING', 'not now', 2_000))
  const answer = await behind.call('POST', `${tasksPath}:lease`, { body: {} })
  deepEqual([answer.status, answer.headers.get('retry-after'), behind.calls.length], [503, '2', 1])
})

test('an error of a service comes through with its reason', async (t) => {
  const behind = await startBehind(t)
  behind.handlers['getTask'] = () => Promise.reject(notFound('projects/a/tasks/1'))
  const { status, error } = await behind.call('GET', `${tasksPath}/1`)
  deepEqual(
    [status, error.status, error.message, error.details[0]?.reason],
    [404, 'NOT_FOUND', 'projects/a/tasks/1 was not found', 'NOT_FOUND'],
  )
})

test('an error that nobody foresaw tells nothing about the inside', async (t) => {
  const behind = await startBehind(t)
  behind.handlers['getTask'] = () => Promise.reject(new Error('secret'))
  const answer = await behind.call('GET', `${tasksPath}/1`)
  deepEqual([answer.status, answer.error.message], [500, 'internal error'])
})

test('what the gateway itself refuses carries a stable reason too', async (t) => {
  const behind = await startBehind(t)
  const reasons = await Promise.all(
    [
      behind.call('GET', '/nowhere'),
      behind.call('PUT', tasksPath),
      behind.call('POST', tasksPath, { body: '{' }),
      behind.call('POST', tasksPath, { body: '{}', headers: { 'content-type': 'text/plain' } }),
    ].map(async (call) => (await call).error.details[0]?.reason),
  )
  deepEqual(reasons, ['NOT_FOUND', 'METHOD_NOT_ALLOWED', 'INVALID_ARGUMENT', 'MEDIA_TYPE'])
})

for (const [what, bytes, code, reason] of [
  ['bytes that are no HTTP', '\x00\x01\x02\r\n\r\n', 400, 'MALFORMED_REQUEST'],
  ['headers over 16 KiB', `GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'HEAD_TOO_LARGE'],
  [
    'two lengths',
    'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    400,
    'MALFORMED_REQUEST',
  ],
  [
    'a body of 10 MB',
    `POST ${tasksPath} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer admin\r\ncontent-length: 10000000\r\n\r\n`,
    413,
    'BODY_TOO_LARGE',
  ],
] as const) {
  test(`${what} are ${code} ${reason}, and the connection ends`, async (t) => {
    const behind = await startBehind(t)
    const socket = connect(behind.gateway.port, '127.0.0.1')
    socket.write(bytes)
    const [data] = (await once(socket, 'data')) as [Buffer]
    match(data.toString(), new RegExp(`^HTTP/1\\.1 ${code} [^]*"reason":"${reason}","domain":"flowforge.dev"`))
    await once(socket, 'close')
    equal((await behind.call('GET', tasksPath)).status, 200)
  })
}

test('whoever watches holds a place at the service, and gives it back by leaving', async (t) => {
  const behind = await startBehind(t)
  behind.handlers['watchTask'] = async (_request, context, send) => {
    await send({ task: { name: 'projects/a/tasks/1' } })
    await once(context.signal, 'abort')
  }
  const places = async () =>
    /bulkhead_calls\{upstream="tasks",group="stream"\} (\d+)/.exec(await registry.metrics())?.[1]
  const stream = await fetch(`${behind.url}${tasksPath}/1:watch`, { headers: { authorization: 'Bearer admin' } })
  equal(await places(), '1')
  await stream.body!.cancel()
  await until(async () => (await places()) === '0')
})

test('stopping ends streams with an error that says so, and lets requests finish', async (t) => {
  const behind = await startBehind(t)
  const asked = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  behind.handlers['getTask'] = async () => {
    asked.resolve()
    await goOn.promise
    return { name: 'projects/a/tasks/1' }
  }
  behind.handlers['watchTask'] = async (_request, context, send) => {
    await send({ task: { name: 'projects/a/tasks/1' } })
    await once(context.signal, 'abort')
  }
  const stream = await fetch(`${behind.url}${tasksPath}/1:watch`, { headers: { authorization: 'Bearer admin' } })
  const unary = behind.call('GET', `${tasksPath}/1`)
  await asked.promise
  const stopped = behind.gateway.stop(5_000)
  match(
    await stream.text(),
    /^\{"result":\{"task":\{"name":"projects\/a\/tasks\/1"\}\}\}\n\{"error":\{"code":503,.*"STOPPING"/,
  )
  goOn.resolve()
  equal((await unary).status, 200)
  await stopped
})

test('whoever is answered while the gateway prepares to stop is asked to come back on another connection', async (t) => {
  const { url, gateway } = await startBehind(t)
  const connection = async () => (await fetch(`${url}/healthz`)).headers.get('connection')
  equal(await connection(), 'keep-alive')
  gateway.leave()
  equal(await connection(), 'close')
})

test('a connection on which nothing ever came does not hold up the stop', async (t) => {
  const behind = await startBehind(t)
  const silent = connect(Number(new URL(behind.url).port), '127.0.0.1')
  await once(silent, 'connect')
  // The server has accepted it too: it answers a connection that came later.
  equal((await fetch(`${behind.url}/healthz`)).status, 200)
  const startedAt = performance.now()
  await behind.gateway.stop(5_000)
  ok(performance.now() - startedAt < 2_000)
})
