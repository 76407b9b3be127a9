import { deepEqual, equal, match, notEqual, ok, rejects } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { Struct } from '@flowforge/proto/google/protobuf/struct.ts'
import type { Task } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { LeaseTasksRequest } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { until } from '@flowforge/runtime/testing/poll'
import fc from 'fast-check'
import pg from 'pg'
import { rejectsWith } from '../testing/rejects-with.ts'
import { startTestTasks, type TestTasks } from '../testing/tasks-service.ts'
import { structFault } from '../rpc/check-struct.ts'

let service: TestTasks
/** The application's own pool, with a role that has nothing but what docs/enqueue.md grants. */
let application: pg.Pool
const role = `application_${randomBytes(6).toString('hex')}`
before(async () => {
  service = await startTestTasks()
  application = new pg.Pool({ connectionString: service.database.adminUrl, max: 3 })
  await application.query(`create role ${role}; grant usage on schema tasks to ${role}`)
  await application.query(`grant execute on function tasks.enqueue to ${role}`)
})
after(async () => {
  await application.query(`drop owned by ${role}; drop role ${role}`)
  await application.end()
  await service.stop()
})

type Arguments = Record<string, unknown>

/** Each test has a project of its own. */
function setup(t: { name: string }) {
  const project = t.name.replace(/[^a-z]+/g, '-').slice(0, 60)
  const parent = `projects/${project}`
  return {
    parent,
    enqueue: (args: Arguments = {}, client: pg.Pool | pg.PoolClient = application) =>
      enqueue(client, { project, type: 'mail', ...args }),
    read: (id: string) => service.tasks.getTask({ name: `${parent}/tasks/${id}` }),
    list: async () =>
      (await service.tasks.listTasks({ parent, pageSize: 0, pageToken: '', filter: '', orderBy: '' })).tasks,
    lease: async (maxTasks: number, waitS = 0) =>
      (
        await service.workers.leaseTasks(
          LeaseTasksRequest.fromPartial({ parent, worker: 'w', maxTasks, wait: { seconds: BigInt(waitS), nanos: 0 } }),
        )
      ).tasks,
  }
}

async function enqueue(client: pg.Pool | pg.PoolClient, args: Arguments): Promise<string> {
  const names = Object.keys(args)
  const { rows } = await client.query(
    `select tasks.enqueue(${names.map((name, i) => `${name} => $${i + 1}`).join(', ')}) as id`,
    names.map((name) => args[name]),
  )
  return rows[0].id
}

async function inTransaction(
  work: (client: pg.PoolClient) => Promise<void>,
  end: 'commit' | 'rollback',
): Promise<void> {
  const client = await application.connect()
  try {
    await client.query(`begin; set local role ${role}`)
    await work(client)
    await client.query(end)
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}

const violates = (pattern: RegExp) => (error: pg.DatabaseError) => {
  equal(error.code, '22023', error.message)
  match(error.message, pattern)
  return true
}

test('a role that may only call the function creates a task in its own transaction', async (t) => {
  const { enqueue, read } = setup(t)
  let id = ''
  await inTransaction(async (client) => void (id = await enqueue({ payload: { to: 'x' } }, client)), 'commit')
  match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  const task = await read(id)
  deepEqual([task.state, task.type, task.queue, task.payload], [2, 'mail', 'default', { to: 'x' }])
  await inTransaction(async (client) => rejects(client.query('select from tasks.task'), { code: '42501' }), 'rollback')
})

test('a role without the grant may not call the function', async () => {
  const stranger = `stranger_${randomBytes(6).toString('hex')}`
  const client = await application.connect()
  try {
    await client.query(
      `begin; create role ${stranger}; grant usage on schema tasks to ${stranger}; set local role ${stranger}`,
    )
    await rejects(enqueue(client, { project: 'p', type: 'mail' }), { code: '42501' })
  } finally {
    await client.query('rollback')
    client.release()
  }
})

test('a rolled back transaction leaves nothing: no task, no request ID, no queue, no turn', async (t) => {
  const { parent, enqueue, list } = setup(t)
  const args = { queue: 'mail', request_id: 'once', fairness_key: 'a', concurrency_key: 'c', unique_key: 'u' }
  await inTransaction(async (client) => void (await enqueue(args, client)), 'rollback')
  deepEqual(await list(), [])
  await rejectsWith('NOT_FOUND', service.queues.getQueue({ name: `${parent}/queues/mail` }))
  const id = await enqueue(args)
  equal((await list())[0]?.uid, id)
})

test('a task is as the API would have made it', async (t) => {
  const { parent, enqueue, read } = setup(t)
  const scheduleTime = new Date(Date.now() + 3_600_000)
  const expireTime = new Date(Date.now() + 7_200_000)
  const id = await enqueue({
    payload: { list: [1, null, true, { deep: 'ü' }] },
    queue: 'mail',
    priority: 7,
    schedule_time: scheduleTime,
    expire_time: expireTime,
    labels: { tenant: 'x' },
    fairness_key: 'f',
    concurrency_key: 'c',
    unique_key: 'u',
    attempt_timeout: '90 seconds',
    retry_policy: { max_attempts: 3, min_backoff: '2s', max_backoff: '1 minute', multiplier: 1.5 },
  })
  const made = await read(id)
  const wanted = await service.tasks.createTask(
    CreateTaskRequest.fromPartial({
      parent,
      task: {
        type: 'mail',
        payload: { list: [1, null, true, { deep: 'ü' }] },
        queue: 'mail',
        priority: 7,
        scheduleTime,
        expireTime,
        labels: { tenant: 'x' },
        fairnessKey: 'f',
        concurrencyKey: 'c',
        uniqueKey: 'other',
        attemptTimeout: { seconds: 90n, nanos: 0 },
        retryPolicy: {
          maxAttempts: 3,
          minBackoff: { seconds: 2n, nanos: 0 },
          maxBackoff: { seconds: 60n, nanos: 0 },
          multiplier: 1.5,
        },
      },
    }),
  )
  const { name, uid, createTime } = wanted
  deepEqual({ ...made, name, uid, createTime, uniqueKey: 'other' }, wanted)
})

test('a waiting worker has the task at once after the commit, from a queue that did not exist', async (t) => {
  const { enqueue, lease } = setup(t)
  const waiting = lease(1, 20)
  const startMs = performance.now()
  const id = await enqueue()
  equal((await waiting)[0]?.task?.uid, id)
  ok(performance.now() - startMs < 2_500, 'a wake-up and not the poll')
})

test('a task that is due soon starts then, and not at the next poll', async (t) => {
  const { enqueue, lease } = setup(t)
  const waiting = lease(1, 20)
  const startMs = performance.now()
  await enqueue({ schedule_time: new Date(Date.now() + 300) })
  equal((await waiting).length, 1)
  ok(performance.now() - startMs < 3_000, 'a wake-up and not the poll')
})

test('a scheduled task of which no instance was told starts when its time has come', async (t) => {
  const { enqueue, lease } = setup(t)
  await enqueue({ wake: false, schedule_time: new Date(Date.now() + 500) })
  ok(await until(async () => (await lease(1)).length === 1))
})

test('the same request ID answers with the same id, and is refused for another task', async (t) => {
  const { enqueue, list } = setup(t)
  const ids = await Promise.all(
    Array.from({ length: 5 }, () => enqueue({ request_id: 'once', payload: { a: 1, b: 2 } })),
  )
  equal(new Set(ids).size, 1)
  equal(await enqueue({ request_id: 'once', payload: { b: 2, a: 1 } }), ids[0])
  equal((await list()).length, 1)
  await rejects(enqueue({ request_id: 'once', payload: { a: 2 } }), {
    code: '23505',
    message: /request ID once was used/,
  })
})

test('a unique key that a task has is refused, and free again when that has finished', async (t) => {
  const { parent, enqueue } = setup(t)
  const first = await enqueue({ unique_key: 'k' })
  await rejects(enqueue({ unique_key: 'k' }), (error: pg.DatabaseError) => {
    equal(error.code, '23505')
    match(error.message, new RegExp(first))
    return true
  })
  await service.tasks.cancelTask({ name: `${parent}/tasks/${first}`, etag: '' })
  notEqual(await enqueue({ unique_key: 'k' }), first)
})

test('concurrency keys and fairness keys hold for what is enqueued', async (t) => {
  const { parent, enqueue, lease } = setup(t)
  for (let i = 0; i < 3; i++) await enqueue({ concurrency_key: 'c', fairness_key: 'busy' })
  for (let i = 0; i < 20; i++) await enqueue({ fairness_key: 'busy' })
  for (let i = 0; i < 3; i++) await enqueue({ fairness_key: 'quiet' })
  const name = `${parent}/queues/default`
  await until(async () => (await service.queues.getQueue({ name })).readyCount === 26n)
  const leased = (await lease(6)).map(({ task }) => task!)
  equal(leased.filter((task) => task.fairnessKey === 'quiet').length, 3)
  equal(leased.filter((task) => task.concurrencyKey === 'c').length, 1)
})

test('a long transaction holds up nobody who creates, starts and finishes tasks with the same keys', async (t) => {
  const { parent, enqueue, lease } = setup(t)
  const create = (task: Partial<Task>) =>
    service.tasks.createTask(CreateTaskRequest.fromPartial({ parent, task: { type: 'mail', ...task } }))
  await create({ concurrencyKey: 'c', fairnessKey: 'f' })
  let id = ''
  await inTransaction(async (client) => {
    id = await enqueue({ concurrency_key: 'c', fairness_key: 'f', unique_key: 'u' }, client)
    await create({ concurrencyKey: 'c', fairnessKey: 'f' })
    for (let i = 0; i < 2; i++) {
      const [leased] = await lease(1, 5)
      await service.workers.completeTask({ name: leased!.lease!.task, lease: leased!.lease, result: undefined })
    }
    // The unique key alone has to wait for what becomes of the transaction, and not for long.
    const refused = rejectsWith('CONFLICT', create({ uniqueKey: 'u' }))
    equal((await create({ uniqueKey: 'v' })).state, 2)
    await refused
  }, 'commit')
  equal((await rejectsWith('UNIQUE_KEY_USED', create({ uniqueKey: 'u' }))).metadata['task'], `${parent}/tasks/${id}`)
})

test('a long transaction with a request ID holds up nobody but who creates with the same one', async (t) => {
  const { parent, enqueue, list } = setup(t)
  const request = (requestId: string) =>
    CreateTaskRequest.fromPartial({ parent, task: { type: 'mail', queue: 'q' }, requestId })
  let held: Promise<Task> | undefined
  let batch: ReturnType<typeof service.tasks.batchCreateTasks> | undefined
  await inTransaction(async (client) => {
    await enqueue({ request_id: 'same' }, client)
    const others = Array.from({ length: 30 }, (_, i) => service.tasks.createTask(request(`other-${i}`)))
    held = service.tasks.createTask(request('same'))
    batch = service.tasks.batchCreateTasks({ parent, requests: [request('same'), request('another')] })
    await Promise.all(others)
    // Also what came in one call with it is stored, and only its answer waits.
    await until(async () => (await list()).length === 31)
  }, 'rollback')
  const { name } = await held!
  deepEqual(
    (await batch!).results.map(({ outcome }) => outcome?.$case),
    ['task', 'task'],
  )
  equal((await service.tasks.createTask(request('same'))).name, name)
  equal((await list()).length, 32)
})

test('what the API refuses is refused with SQLSTATE 22023, naming the argument', async (t) => {
  const { enqueue } = setup(t)
  const wrong: [Arguments, RegExp][] = [
    [{ project: null }, /^project: /],
    [{ type: 'no spaces' }, /^type: /],
    [{ type: null }, /^type: /],
    [{ queue: 'No_Caps' }, /^queue: /],
    [{ priority: 101 }, /^priority: /],
    [{ payload: '[1]' }, /^payload: must be an object/],
    [{ payload: { text: 'x'.repeat(262_144) } }, /^payload: has 2621\d\d bytes encoded; at most 262144/],
    [{ payload: '{"n": 1e400}' }, /^payload: has a number/],
    [{ payload: '{"a":'.repeat(40) + '1' + '}'.repeat(40) }, /^payload: is nested deeper than 64/],
    [{ labels: { 'no spaces please': 'x' } }, /^labels: /],
    [{ labels: { a: 1 } }, /^labels.a: /],
    [{ labels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, ''])) }, /^labels: has more than 32/],
    [{ request_id: 'x'.repeat(129) }, /^request_id: /],
    [{ unique_key: 'x'.repeat(256) }, /^unique_key: /],
    [{ fairness_key: 'a\nb' }, /^fairness_key: has control characters/],
    [{ schedule_time: '1969-12-31T00:00:00Z' }, /^schedule_time: /],
    [{ schedule_time: '2030-01-01T00:00:00Z', expire_time: '2029-01-01T00:00:00Z' }, /^expire_time: /],
    [{ attempt_timeout: '500 milliseconds' }, /^attempt_timeout: must be between 1 s and 86400 s/],
    [{ retry_policy: { max_attempts: 0 } }, /^retry_policy.max_attempts: /],
    [{ retry_policy: { max_attempts: 2.5 } }, /^retry_policy.max_attempts: /],
    [{ retry_policy: { multiplier: 11 } }, /^retry_policy.multiplier: /],
    [{ retry_policy: { min_backoff: 'soon' } }, /^retry_policy: /],
    [{ retry_policy: { attempts: 3 } }, /^retry_policy: has the member "attempts"/],
  ]
  for (const [args, pattern] of wrong)
    await rejects(enqueue(args), violates(pattern), JSON.stringify(args).slice(0, 80))
})

test('JSON is encoded byte for byte as the protobuf encoder does', async () => {
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true })
  const number = fc.oneof(finite, fc.integer(), fc.constantFrom(-0, 0, 1e308, -1e308, 5e-324, 2 ** 53, 0.1, 1e21, 1e-7))
  // PostgreSQL's JSON has no NUL, and no half of a surrogate pair.
  const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\u0000', '').toWellFormed())
  // JavaScript has its own order for keys that are numbers, and its own meaning for __proto__.
  const key = text.filter((name) => !/^\d+$/.test(name) && name !== '__proto__')
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, depthSize: 'medium' },
      number,
      text,
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 6 }),
      fc.dictionary(key, tie('value'), { maxKeys: 6 }),
    ),
  }))
  const payload = fc.dictionary(key, value, { maxKeys: 8 })
  await fc.assert(
    fc.asyncProperty(payload, async (struct) => {
      const { rows } = await service.pool.query(`select tasks.encode_struct($1::jsonb) as bytes`, [
        JSON.stringify(struct),
      ])
      const bytes: Buffer = rows[0].bytes
      const wanted = Struct.encode(Struct.wrap(inJsonbOrder(struct) as Record<string, unknown>)).finish()
      equal(bytes.toString('hex'), Buffer.from(wanted).toString('hex'))
      equal(structFault(bytes), undefined)
    }),
    { numRuns: 300 },
  )
})

test('keys that are numbers, and names that mean something elsewhere, are keys like any other', async () => {
  const json = '{"10": 1, "2": 2, "": 3, "constructor": 4, "toString": {}}'
  const { rows } = await service.pool.query(`select tasks.encode_struct($1::jsonb) as bytes`, [json])
  deepEqual(Struct.unwrap(Struct.decode(rows[0].bytes)), JSON.parse(json))
})

test('the deepest and longest JSON that the API takes is taken', async () => {
  const deepest = '{"a":'.repeat(32) + '{}' + '}'.repeat(32)
  const { rows } = await service.pool.query(`select tasks.encode_struct($1::jsonb) as bytes`, [deepest])
  equal(structFault(rows[0].bytes), undefined)
  await rejects(service.pool.query(`select tasks.encode_struct($1::jsonb)`, [`{"a":${deepest}}`]), violates(/nested/))
  const long = { text: 'x'.repeat(262_144 - 19) }
  ok(Struct.encode(Struct.wrap(long)).finish().length <= 262_144)
  equal((await enqueue(application, { project: 'longest', type: 'mail', payload: long })).length, 36)
})

test('ids are unique and in the order of their milliseconds', async () => {
  const { rows } = await service.pool.query(`select tasks.new_uuid()::text as id from generate_series(1, 1000)`)
  const ids: string[] = rows.map(({ id }) => id)
  equal(new Set(ids).size, 1000)
  const ms = ids.map((id) => Number.parseInt(id.replace('-', '').slice(0, 12), 16))
  deepEqual(
    ms,
    ms.toSorted((a, b) => a - b),
  )
  ok(Math.abs(ms[0]! - Date.now()) < 60_000)
})

/** jsonb keeps shorter keys first, then by bytes; and it has no negative zero. */
function inJsonbOrder(value: unknown): unknown {
  if (Object.is(value, -0)) return 0
  if (Array.isArray(value)) return value.map(inJsonbOrder)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, member]) => [Buffer.from(key), inJsonbOrder(member)] as const)
  const ordered = entries.toSorted(([a], [b]) => a.length - b.length || Buffer.compare(a, b))
  return Object.fromEntries(ordered.map(([key, member]) => [key.toString(), member]))
}
