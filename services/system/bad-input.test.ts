/** Bad input of every kind gets the right refusal, at each door, and harms nobody. */
import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { status as code } from '@grpc/grpc-js'
import { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { testCertificates } from '@flowforge/runtime/testing/certificates'
import { callPlain, callRaw, type RawAnswer } from './testing/raw-grpc.ts'
import { startTestSystem } from './testing/test-system.ts'

const system = await startTestSystem()
const { call, addresses, folder } = system
const pidsBefore = system.pids()

const tasks = '/v1/projects/default/tasks'
const schedules = '/v1/projects/default/schedules?scheduleId=nightly'
const json = (value: unknown) => JSON.stringify(value)
const deep = `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`

/** The body of a refusal, as AIP-193 has it. */
interface RpcStatus {
  code: number
  status: string
  message: string
  details?: { fieldViolations?: { field: string }[] }[]
}

interface Refusal {
  path?: string
  method?: string
  body?: string
  headers?: Record<string, string>
  is: [httpStatus: number, status: string]
  /** The field that a violation names. */
  field?: RegExp
}

const refusals: Record<string, Refusal> = {
  'malformed JSON': { body: '{"type": "echo"', is: [400, 'INVALID_ARGUMENT'] },
  'JSON that is no object': { body: '[1]', is: [400, 'INVALID_ARGUMENT'] },
  'no body': { body: '', is: [400, 'INVALID_ARGUMENT'], field: /task/ },
  'JSON nested 5,000 deep': {
    body: json({ type: 'echo' }).replace('}', `,"payload":${deep}}`),
    is: [400, 'INVALID_ARGUMENT'],
  },
  'an unknown field': { body: json({ type: 'echo', colour: 'red' }), is: [400, 'INVALID_ARGUMENT'], field: /colour/ },
  'a string for a number': {
    body: json({ type: 'echo', priority: 'high' }),
    is: [400, 'INVALID_ARGUMENT'],
    field: /priority/,
  },
  'a number for an object': {
    body: json({ type: 'echo', payload: 7 }),
    is: [400, 'INVALID_ARGUMENT'],
    field: /payload/,
  },
  'a time that is none': {
    body: json({ type: 'echo', scheduleTime: 'soon' }),
    is: [400, 'INVALID_ARGUMENT'],
    field: /schedule_?time/i,
  },
  'no type': { body: json({ payload: {} }), is: [400, 'INVALID_ARGUMENT'], field: /type/ },
  'a body of 10 MB': {
    body: json({ type: 'echo', payload: { text: 'x'.repeat(10_000_000) } }),
    is: [413, 'RESOURCE_EXHAUSTED'],
  },
  'a payload over 256 KiB': {
    body: json({ type: 'echo', payload: { text: 'x'.repeat(300_000) } }),
    is: [400, 'INVALID_ARGUMENT'],
    field: /payload/,
  },
  'a content type that is not JSON': {
    body: '<a/>',
    headers: { 'content-type': 'text/xml' },
    is: [415, 'INVALID_ARGUMENT'],
  },
  'no key': { headers: { authorization: '' }, is: [401, 'UNAUTHENTICATED'] },
  'a bad key': { headers: { authorization: `Bearer ff_${'a'.repeat(43)}` }, is: [401, 'UNAUTHENTICATED'] },
  'a key that is none': { headers: { authorization: 'Basic YTpi' }, is: [401, 'UNAUTHENTICATED'] },
  'a project that is not the key’s': { path: '/v1/projects/other/tasks', is: [403, 'PERMISSION_DENIED'] },
  'a task that is not there': {
    method: 'GET',
    path: `${tasks}/0198c0de-0000-7000-8000-000000000000`,
    is: [404, 'NOT_FOUND'],
  },
  'a task ID that is none': { method: 'GET', path: `${tasks}/%00%ff..%2f`, is: [400, 'INVALID_ARGUMENT'] },
  'a filter that does not parse': {
    method: 'GET',
    path: `${tasks}?filter=state%3D%3D(`,
    is: [400, 'INVALID_ARGUMENT'],
    field: /filter/,
  },
  'a forged page token': {
    method: 'GET',
    path: `${tasks}?pageToken=AAAA`,
    is: [400, 'INVALID_ARGUMENT'],
    field: /page_?token/i,
  },
  'a path that is none': { method: 'GET', path: '/v1/nothing/here', is: [404, 'NOT_FOUND'] },
  'a bad cron line': {
    path: schedules,
    body: json({ cron: '61 * * * *', task: { type: 'echo' } }),
    is: [400, 'INVALID_ARGUMENT'],
    field: /cron/,
  },
  'a bad time zone': {
    path: schedules,
    body: json({ cron: '0 * * * *', timeZone: 'Mars/Olympus', task: { type: 'echo' } }),
    is: [400, 'INVALID_ARGUMENT'],
    field: /time_?zone/i,
  },
}

for (const [
  what,
  { path = tasks, method = 'POST', body = '{"type":"echo"}', headers = {}, is, field },
] of Object.entries(refusals)) {
  test(`HTTP: ${what} is ${is.join(' ')}`, async () => {
    const answer = await call(method, path, method === 'GET' ? undefined : body, headers)
    doesNotMatch(answer.text, /\n? {4}at |node:internal|\.ts:\d|node_modules/)
    const { error } = answer.json<{ error: RpcStatus }>()
    deepEqual([answer.status, error.code, error.status], [is[0], is[0], is[1]])
    ok(error.message.length > 0 && error.message.length < 500, error.message)
    if (field) match(violations(error), field)
  })
}

test('HTTP: who is still sending 10 MB gets to read why they are refused', async () => {
  const body = json({ type: 'echo', payload: { text: 'x'.repeat(10_000_000) } })
  const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await call('POST', tasks, body)).status))
  deepEqual(new Set(statuses), new Set([413]))
})

test('HTTP: garbage on the port is answered with 400 and the connection closed', async () => {
  match(await talk(system.url, '\x16\x03\x01\x00\xffgarbage\r\n\r\n'), /^HTTP\/1\.1 400 /)
})

const createTask = '/flowforge.tasks.v1.TaskService/CreateTask'
const requestFor = (parent: string) =>
  Buffer.from(CreateTaskRequest.encode(CreateTaskRequest.fromPartial({ parent, task: { type: 'echo' } })).finish())
const validRequest = requestFor('projects/default')
const ca = join(folder.certificates, 'operator/ca.pem')
const as = (component: string) => ({ folder: join(folder.certificates, component), ca })

test('gRPC: the operator’s certificate and a valid request are accepted', async () => {
  equal((await callRaw(addresses.tasks, createTask, validRequest, as('operator'))).code, code.OK)
})

test('HTTP: a task of another project is 403 to each verb, and untouched', async () => {
  const created = await callRaw(addresses.tasks, createTask, requestFor('projects/other'), as('operator'))
  const { name } = Task.decode(created.body)
  match(name, /^projects\/other\/tasks\//)
  for (const [method, path] of [
    ['GET', name],
    ['GET', `${name}:watch`],
    ['DELETE', name],
    ['POST', `${name}:cancel`],
  ] as const) {
    const { status, text } = await call(method, `/v1/${path}`)
    equal(status, 403, text)
  }
})

test('gRPC: bytes that are no message are INVALID_ARGUMENT', async () => {
  for (const bytes of [
    Buffer.from('ffffffffffffffff', 'hex'),
    Buffer.from('0aff', 'hex'),
    Buffer.from('1207'.repeat(9), 'hex'),
  ]) {
    const { code: got, details } = await callRaw(addresses.tasks, createTask, bytes, as('operator'))
    equal(got, code.INVALID_ARGUMENT, `${bytes.toString('hex')}: ${details}`)
  }
})

test('gRPC: a message of 10 MB is RESOURCE_EXHAUSTED', async () => {
  const { code: got } = await callRaw(addresses.tasks, createTask, Buffer.alloc(10_000_000), as('operator'))
  equal(got, code.RESOURCE_EXHAUSTED)
})

test('gRPC: an RPC that is not there is NOT_FOUND, as in a mesh', async () => {
  const path = '/flowforge.tasks.v1.TaskService/Nothing'
  equal((await callRaw(addresses.tasks, path, validRequest, as('operator'))).code, code.NOT_FOUND)
})

for (const component of ['accounts', 'worker'])
  test(`gRPC: CreateTask with the certificate of ${component} is PERMISSION_DENIED`, async () => {
    const answer = await callRaw(addresses.tasks, createTask, validRequest, as(component))
    equal(answer.code, code.PERMISSION_DENIED, answer.details)
  })

test('gRPC: VerifyKey is for the gateway alone', async () => {
  const path = '/flowforge.accounts.v1.AuthService/VerifyApiKey'
  const got = await callRaw(addresses.accounts, path, Buffer.alloc(0), { ...as('operator'), component: 'accounts' })
  equal(got.code, code.PERMISSION_DENIED, got.details)
})

test('gRPC: nobody gets in without a certificate of our authority', async (t) => {
  const stranger = testCertificates().folderFor('gateway')
  const callers: Record<string, () => Promise<RawAnswer>> = {
    'no certificate': () => callRaw(addresses.tasks, createTask, validRequest, { ca }),
    'the right name, signed by another authority': () =>
      callRaw(addresses.tasks, createTask, validRequest, { folder: stranger, ca }),
    'no TLS': () => callPlain(addresses.tasks, createTask),
  }
  for (const [who, knock] of Object.entries(callers))
    await t.test(who, async () => equal((await knock()).code, code.UNAVAILABLE))
})

test('gRPC: HTTP/1 and garbage to the port end in a closed connection', async () => {
  for (const said of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'garbage'.repeat(1_000)])
    doesNotMatch(await talk(`http://${addresses.tasks}`, said), /HTTP\/1\.1 200/)
})

test('after all that no process was restarted, and the system works', async () => {
  const { name } = await system.client.createTask({ type: 'echo', payload: { still: 'here' } })
  const states = await Array.fromAsync(system.client.watchTask(name), ({ state }) => state)
  equal(states.at(-1), 'TASK_STATE_SUCCEEDED')
  deepEqual(system.pids(), pidsBefore)
  deepEqual(
    system.messages.filter((line) => line.includes('exited')),
    [],
  )
})

function violations(error: RpcStatus): string {
  return (error.details ?? [])
    .flatMap(({ fieldViolations = [] }) => fieldViolations.map(({ field }) => field))
    .join(' ')
}

/** Sends bytes to a port and answers what came back until the other side closed, or 5 s were over. */
function talk(url: string, said: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve) => {
    let heard = ''
    const socket = connect(Number(port), hostname, () => socket.write(said))
    socket.on('data', (chunk) => (heard += chunk.toString('latin1')))
    socket.on('error', () => {})
    socket.on('close', () => resolve(heard))
    socket.setTimeout(5_000, () => socket.destroy(new Error('nothing came')))
  })
}
