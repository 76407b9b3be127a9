import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { JsonObject } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import { errorWithDetails, startExample, type Example } from './testing/server.ts'
import { RpcError } from './transcoder.ts'

interface ErrorBody {
  error: {
    code: number
    message: string
    status: string
    details: { '@type': string; fieldViolations?: { field: string; description: string }[] }[]
  }
}

async function call(
  example: Example,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const response = await fetch(example.url + path, {
    method,
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) as unknown }
}

for (const [method, path, body, rpc, request] of [
  ['GET', '/v1/shelves/1/books/2', undefined, 'GetBook', { name: 'shelves/1/books/2' }],
  ['GET', '/v1/books/a%2Fb', undefined, 'GetBook', { bookId: 'a/b' }],
  [
    'GET',
    '/v1/shelves/1/books?page_size=5&genre=GENRE_POETRY',
    undefined,
    'ListBooks',
    { parent: 'shelves/1', pageSize: 5, genre: 'GENRE_POETRY' },
  ],
  [
    'GET',
    '/v1/shelves/1/books?pageSize=5&genre=1&$alt=json',
    undefined,
    'ListBooks',
    { parent: 'shelves/1', pageSize: 5, genre: 'GENRE_NOVEL' },
  ],
  [
    'POST',
    '/v1/shelves/1/books?request_id=r',
    { title: 'Emma', page_count: '474' },
    'CreateBook',
    { parent: 'shelves/1', requestId: 'r', book: { title: 'Emma', pageCount: '474' } },
  ],
  ['POST', '/v1/shelves/1/books', undefined, 'CreateBook', { parent: 'shelves/1' }],
  [
    'POST',
    '/v1/shelves/1/books',
    '{"pageCount":9007199254740993}',
    'CreateBook',
    { parent: 'shelves/1', book: { pageCount: '9007199254740993' } },
  ],
  [
    'POST',
    '/v1/shelves/1/books/2:move',
    { toShelf: '3', name: 'ignored' },
    'MoveBook',
    { name: 'shelves/1/books/2', toShelf: '3' },
  ],
  [
    'PATCH',
    '/v1/shelves/1/books/2',
    { name: 'x', title: 'Emma', author: { birth_year: 1 }, tags: [] },
    'UpdateBook',
    {
      book: { name: 'shelves/1/books/2', title: 'Emma', author: { birthYear: 1 } },
      updateMask: 'title,author.birthYear,tags',
    },
  ],
  [
    'PATCH',
    '/v1/shelves/1/books/2?update_mask=page_count,title',
    { title: 'Emma' },
    'UpdateBook',
    { book: { name: 'shelves/1/books/2', title: 'Emma' }, updateMask: 'pageCount,title' },
  ],
  [
    'GET',
    '/v1/echo?nested.author.full_name=Ada+L&ints=1&ints=2&a_bool=true&time=2026-01-01T00:00:00Z&duration=1.5s&mask=a_b&wrapped_long=7&wrapped_bool=false&some_bytes=-_8&a_double=NaN',
    undefined,
    'Echo',
    {
      nested: { author: { fullName: 'Ada L' } },
      ints: [1, 2],
      aBool: true,
      time: '2026-01-01T00:00:00Z',
      duration: '1.500s',
      mask: 'aB',
      wrappedLong: '7',
      wrappedBool: false,
      someBytes: '+/8=',
      aDouble: 'NaN',
    },
  ],
  ['PURGE', '/v1/echo?a_string=x', undefined, 'Echo', { aString: 'x' }],
  [
    'PUT',
    '/v1/files/a/b%2Fc',
    '\u0000raw',
    'Upload',
    { name: 'a/b%2Fc', content: { contentType: 'application/json', data: 'AHJhdw==' } },
  ],
] as const) {
  test(`${method} ${path} is ${rpc}(${JSON.stringify(request)})`, async (t) => {
    const example = await startExample(t)
    const answer = await call(example, method, path, body)
    equal(answer.status, 200, answer.text)
    deepEqual([example.seen[0]?.method, example.seen[0]?.request], [rpc, request])
  })
}

for (const [method, path, body, field, description] of [
  ['POST', '/v1/shelves/1/books', { title: 5 }, 'book.title', 'expected a string, got a number'],
  ['POST', '/v1/shelves/1/books', { titel: 'x' }, 'book.titel', 'there is no such field'],
  [
    'POST',
    '/v1/shelves/1/books',
    { createTime: 'now' },
    'book.create_time',
    'expected a timestamp such as "2027-01-31T12:00:00Z"',
  ],
  ['POST', '/v1/shelves/1/books/2:move', [], '', 'expected an object, got an array'],
  ['POST', '/v1/shelves/1/books/2:move?to_shelf=3', {}, 'to_shelf', 'belongs into the body, this call has no query'],
  ['GET', '/v1/shelves/1/books?page_size=many', undefined, 'page_size', '"many" is not an integer'],
  ['GET', '/v1/shelves/1/books?genre=OPERA', undefined, 'genre', '"OPERA" is not a Genre'],
  ['GET', '/v1/shelves/1/books?page_size=1&pageSize=2', undefined, 'page_size', 'given more than once'],
  [
    'GET',
    '/v1/shelves/1/books?parent=shelves/2',
    undefined,
    'parent',
    'is set by the path or the body, not by the query',
  ],
  ['GET', '/v1/shelves/1/books?nothing=1', undefined, 'nothing', 'there is no such field that a query can set'],
  ['GET', '/v1/echo?nested=1', undefined, 'nested', 'there is no such field that a query can set'],
] as const) {
  test(`${method} ${path} ${JSON.stringify(body) ?? ''} is refused at ${field || 'the body'}`, async (t) => {
    const example = await startExample(t)
    const answer = await call(example, method, path, body)
    equal(answer.status, 400)
    const { error } = answer.json() as ErrorBody
    deepEqual(
      [error.code, error.status, error.details[0]?.fieldViolations],
      [400, 'INVALID_ARGUMENT', [{ field, description }]],
    )
    equal(example.seen.length, 0)
  })
}

test('whoever prefers lenient handling has unknown fields skipped, at every depth, and nothing else', async (t) => {
  const example = await startExample(t)
  const lenient = { prefer: 'respond-async, handling=lenient' }
  const body = { title: 't', titel: 'x', author: { fullName: 'a', age: 5 } }
  const answer = await call(example, 'POST', '/v1/shelves/1/books?new=1', body, lenient)
  deepEqual([answer.status, answer.headers.get('preference-applied')], [200, 'handling=lenient'])
  deepEqual(example.seen[0]?.request, { parent: 'shelves/1', book: { title: 't', author: { fullName: 'a' } } })
  equal((await call(example, 'POST', '/v1/shelves/1/books', { title: 5 }, lenient)).status, 400)
  equal((await call(example, 'POST', '/v1/shelves/1/books', body, { prefer: 'handling=strict' })).status, 400)
})

for (const [method, path, body, headers, code, text] of [
  ['GET', '/v1/nowhere', undefined, {}, 404, 'NOT_FOUND'],
  ['GET', '/v1/books/%ff', undefined, {}, 400, 'INVALID_ARGUMENT'],
  ['POST', '/v1/shelves/1/books', '{"title":', {}, 400, 'the body is not JSON'],
  [
    'POST',
    '/v1/shelves/1/books',
    'a=b',
    { 'content-type': 'application/x-www-form-urlencoded' },
    415,
    'the body must be application/json',
  ],
  ['POST', '/v1/echo', 'null', {}, 400, 'expected an object, got null'],
  ['POST', '/v1/shelves/1/books', '{}', { 'content-encoding': 'gzip' }, 415, 'the body must not be compressed'],
  ['GET', '/v1/shelves/1/books/2', undefined, { 'grpc-timeout': 'soon' }, 400, 'Grpc-Timeout'],
] as const) {
  test(`${method} ${path} ${body ?? ''} is ${code}`, async (t) => {
    const answer = await call(await startExample(t), method, path, body, headers)
    equal(answer.status, code)
    match(answer.text, new RegExp(text))
    equal(answer.headers.get('content-type'), 'application/json')
  })
}

test('a known path with another method is 405 and tells what is allowed', async (t) => {
  const answer = await call(await startExample(t), 'PUT', '/v1/shelves/1/books')
  equal(answer.status, 405)
  equal(answer.headers.get('allow'), 'GET, HEAD, POST')
})

test('HEAD is GET without the body', async (t) => {
  const example = await startExample(t)
  example.answers.set('GetBook', { title: 'Emma' })
  const answer = await call(example, 'HEAD', '/v1/shelves/1/books/2')
  deepEqual([answer.status, answer.text, answer.headers.get('content-length')], [200, '', '16'])
})

test('response_body answers with that field alone, and with its zero when it is absent', async (t) => {
  const example = await startExample(t)
  equal((await call(example, 'GET', '/v1/shelves/1/books')).text, '[]')
  example.answers.set('ListBooks', { books: [{ title: 'Emma' }], nextPageToken: 'x' })
  equal((await call(example, 'GET', '/v1/shelves/1/books')).text, '[{"title":"Emma"}]')
})

test('an HttpBody is answered as the bytes and the type that it holds', async (t) => {
  const example = await startExample(t)
  example.answers.set('Download', { contentType: 'image/png', data: 'AQID' })
  const response = await fetch(`${example.url}/v1/files/a/b.png:raw`)
  equal(response.headers.get('content-type'), 'image/png')
  deepEqual(new Uint8Array(await response.arrayBuffer()), Uint8Array.of(1, 2, 3))
})

test('an error keeps its status, its message and all its details, and RetryInfo becomes Retry-After', async (t) => {
  const example = await startExample(t)
  const details: JsonObject[] = [
    { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'LATE', domain: 'example.dev' },
    { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1.500s' },
  ]
  example.answers.set('GetBook', errorWithDetails(status.RESOURCE_EXHAUSTED, 'too many', details))
  const answer = await call(example, 'GET', '/v1/shelves/1/books/2')
  deepEqual(answer.json(), { error: { code: 429, message: 'too many', status: 'RESOURCE_EXHAUSTED', details } })
  deepEqual([answer.status, answer.headers.get('retry-after')], [429, '2'])
})

test('an error of the channel does not tell addresses of the inside', async (t) => {
  const example = await startExample(t)
  example.answers.set(
    'GetBook',
    Object.assign(new Error(), { code: status.UNAVAILABLE, details: 'connect ECONNREFUSED 10.0.0.1:7101' }),
  )
  const answer = await call(example, 'GET', '/v1/shelves/1/books/2')
  deepEqual([answer.status, answer.headers.get('retry-after')], [503, '1'])
  ok(!answer.text.includes('10.0.0.1'))
})

test('metadata goes in and out with a prefix, and nobody outside sets what belongs to gRPC or the mesh', async (t) => {
  const example = await startExample(t, { reservedMetadata: ['secret-'] })
  const answer = await call(example, 'GET', '/v1/shelves/1/books/2', undefined, {
    'grpc-metadata-tenant': 'a',
    'grpc-metadata-key-bin': 'AQI=',
    'grpc-metadata-grpc-timeout': '1n',
    'grpc-metadata-l5d-client-id': 'x',
    'grpc-metadata-secret-role': 'x',
    'grpc-metadata-te': 'x',
    'l5d-client-id': 'x',
    traceparent: '00-1-2-3',
  })
  equal(answer.status, 200)
  const metadata = example.seen[0]!.metadata
  deepEqual(
    [metadata.get('tenant'), metadata.get('key-bin'), metadata.get('traceparent')],
    [['a'], [Buffer.of(1, 2)], ['00-1-2-3']],
  )
  for (const name of ['l5d-client-id', 'secret-role', 'te']) deepEqual(metadata.get(name), [])
  equal(answer.headers.get('grpc-metadata-x-served-by'), 'library')
})

test('the caller shortens the deadline but cannot lengthen it', async (t) => {
  const example = await startExample(t, { timeoutMs: () => 5_000 })
  const leftMs = async (headers: Record<string, string>) => {
    await call(example, 'GET', '/v1/shelves/1/books/2', undefined, headers)
    return Number(example.seen.at(-1)!.deadline) - Date.now()
  }
  ok((await leftMs({})) > 3_000)
  ok((await leftMs({ 'grpc-timeout': '900m' })) <= 900)
  ok((await leftMs({ 'request-timeout': '0.9' })) <= 900)
  ok((await leftMs({ 'grpc-timeout': '1H' })) <= 5_100)
})

test('a hook refuses before the body is read', async (t) => {
  const example = await startExample(t, {
    admit() {
      throw new RpcError(status.UNAUTHENTICATED, 'who are you')
    },
  })
  const answer = await call(example, 'POST', '/v1/shelves/1/books', 'not even JSON')
  deepEqual([answer.status, example.seen.length], [401, 0])
})

test('a body that is too large is 413 at once, whether its length is announced or not', async (t) => {
  const example = await startExample(t, { bodyBytesMax: 1_000 })
  const { port } = new URL(example.url)
  for (const head of [
    'content-length: 10000000\r\n\r\n',
    `transfer-encoding: chunked\r\n\r\n7d0\r\n${'x'.repeat(2_000)}\r\n`,
  ]) {
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(`POST /v1/shelves/1/books HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n${head}`)
    const [data] = (await once(socket, 'data')) as [Buffer]
    match(data.toString(), /^HTTP\/1\.1 413 /)
    await once(socket, 'close')
  }
})

test('a stream is one JSON line for each message, and its error is the last line', async (t) => {
  const example = await startExample(t)
  example.onStream = (stream, write) => {
    write({ title: 'a' })
    write({ title: 'b' })
    stream.emit('error', Object.assign(errorWithDetails(status.ABORTED, 'enough', []), {}))
  }
  const answer = await call(example, 'GET', '/v1/shelves/1/books/2:watch')
  equal(answer.headers.get('content-type'), 'application/x-ndjson')
  const lines = answer.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
  deepEqual(lines, [
    { result: { title: 'a' } },
    { result: { title: 'b' } },
    { error: { code: 409, message: 'enough', status: 'ABORTED', details: [] } },
  ])
})

test('a stream is server-sent events for whoever accepts them, with ids and an end', async (t) => {
  const example = await startExample(t)
  example.onStream = (stream, write) => {
    write({ title: 'a' })
    stream.end()
  }
  const answer = await call(example, 'GET', '/v1/shelves/1/books/2:watch', undefined, { accept: 'text/event-stream' })
  equal(answer.text, 'id: 1\ndata: {"title":"a"}\n\nevent: end\ndata: {}\n\n')
})

test('a stream that fails before its first message has the status of its error', async (t) => {
  const example = await startExample(t)
  example.onStream = (stream) => void stream.emit('error', errorWithDetails(status.NOT_FOUND, 'gone', []))
  equal((await call(example, 'GET', '/v1/shelves/1/books/2:watch')).status, 404)
})

test('a silent stream shows signs of life, and is given up when it is silent for too long', async (t) => {
  const example = await startExample(t, { heartbeatMs: 20, timeoutMs: () => 200 })
  example.onStream = (_stream, write) => void write({ title: 'a' })
  const answer = await call(example, 'GET', '/v1/shelves/1/books/2:watch', undefined, { accept: 'text/event-stream' })
  match(answer.text, /^id: 1\ndata: \{"title":"a"\}\n\n(: heartbeat\n\n)+event: error\ndata: .*DEADLINE_EXCEEDED/)
})

test('a caller who goes away cancels the call', async (t) => {
  const example = await startExample(t)
  const cancelled = new Promise<void>((resolve) => {
    example.onStream = (stream, write) => {
      stream.once('cancelled', resolve)
      write({ title: 'a' })
    }
  })
  const controller = new AbortController()
  const response = await fetch(`${example.url}/v1/shelves/1/books/2:watch`, { signal: controller.signal })
  equal(response.status, 200)
  controller.abort()
  await cancelled
})

test('a caller who does not read holds the service back', async (t) => {
  const example = await startExample(t)
  const book = { title: 'x'.repeat(60_000) }
  let written = 0
  const isFull = new Promise<void>((resolve) => {
    example.onStream = (stream, write) => {
      const more = (): void => {
        while (write(book)) if (++written > 1_000) return resolve()
        // Written until the window is full: nobody drains it within the time that draining takes.
        setTimeout(() => (stream.writableNeedDrain ? resolve() : more()), 100)
      }
      more()
    }
  })
  const request = httpRequest(`${example.url}/v1/shelves/1/books/2:watch`).end()
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage]
  response.pause()
  await isFull
  ok(written < 1_000, `${written} messages of 60 kB were taken from the service`)
  request.destroy()
})

test('streams end with an error that the server chooses when it stops', async (t) => {
  const example = await startExample(t)
  example.onStream = (_stream, write) => void write({ title: 'a' })
  const response = await fetch(`${example.url}/v1/shelves/1/books/2:watch`)
  const reading = response.text()
  example.transcoder.endStreams(new RpcError(status.UNAVAILABLE, 'stopping'))
  match(await reading, /"message":"stopping","status":"UNAVAILABLE"/)
})
