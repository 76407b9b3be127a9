import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Schedule } from '@flowforge/proto/flowforge/tasks/v1/schedule_service.ts'
import { Task, UniquePolicy } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { LeaseTasksRequest, type LeasedTask } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { Struct } from '@flowforge/proto/google/protobuf/struct.ts'
import { fromRpcStatus } from '@flowforge/runtime/status'
import { createTestDatabase } from '@flowforge/runtime/testing/database'
import { until } from '@flowforge/runtime/testing/poll'
import type { PayloadKeys } from '../engine/seal.ts'
import { rejectsWith } from '../testing/rejects-with.ts'
import { startTestTasks } from '../testing/tasks-service.ts'

const a = { id: 'a', key: randomBytes(32) }
const b = { id: 'b', key: randomBytes(32) }
const onlyA: PayloadKeys = { sealing: a, all: [a] }
const onlyB: PayloadKeys = { sealing: b, all: [b] }
const rotated: PayloadKeys = { sealing: b, all: [b, a] }
const parent = 'projects/p'
const secret = 'a secret that nobody else should read'

/** A database of its own, and instances on it one after the other. */
async function setup(t: TestContext) {
  const database = await createTestDatabase({ component: 'tasks', folder: join(import.meta.dirname, '../schema') })
  const start = async (payloadKeys?: PayloadKeys, clearPayloads: 'allow' | 'refuse' = 'allow') => {
    const service = await startTestTasks({ database, payloadKeys, clearPayloads })
    let isStopped = false
    const stop = async () => {
      if (!isStopped) await service.stop()
      isStopped = true
    }
    t.after(stop)
    return {
      ...service,
      stop,
      create: (task: Partial<Task> = {}, requestId = '') =>
        service.tasks.createTask(CreateTaskRequest.fromPartial({ parent, task: { type: 'echo', ...task }, requestId })),
      lease: async (maxTasks = 100): Promise<LeasedTask[]> =>
        (await service.workers.leaseTasks(LeaseTasksRequest.fromPartial({ parent, worker: 'w', maxTasks }))).tasks,
    }
  }
  return { start }
}

const get = (service: { tasks: { getTask(request: { name: string }): Promise<Task> } }, name: string) =>
  service.tasks.getTask({ name })

test('the database never sees the template of a schedule, and its tasks have it', async (t) => {
  const { start } = await setup(t)
  const service = await start(onlyA)
  const task = Task.fromPartial({ type: 'echo', payload: { secret } })
  const schedule = Schedule.fromPartial({ cron: '0 2 * * *', task })
  const { name } = await service.schedules.createSchedule({ parent, schedule, scheduleId: 'nightly' })
  deepEqual((await service.schedules.getSchedule({ name })).task?.payload, { secret })
  deepEqual((await service.schedules.runSchedule({ name })).payload, { secret })
  const { rows } = await service.pool.query('select template from tasks.schedule')
  equal(rows[0].template.includes(secret), false)
})

test('the database never sees a payload, progress or a result, and everybody else does', async (t) => {
  const { start } = await setup(t)
  const service = await start(onlyA)
  const { name } = await service.create({ payload: { secret } }, 'request')
  const [first] = await service.lease()
  deepEqual(first?.task?.payload, { secret })
  await service.workers.reportProgress({ name, lease: first!.lease, progress: { progress: secret } })
  deepEqual((await get(service, name)).progress, { progress: secret })
  await service.workers.releaseTask({ name, lease: first!.lease, release: { snooze: undefined, cancelled: false } })
  const [second] = await service.lease()
  deepEqual(second?.task?.progress, { progress: secret })
  const stored = () => service.pool.query('select progress, payload from tasks.task')
  ok((await stored()).rows.every((row) => row.payload[0] === 0 && row.progress[0] === 0))
  await service.workers.completeTask({ name, lease: second!.lease, result: { result: secret } })
  const finished = await get(service, name)
  deepEqual([finished.payload, finished.result], [{ secret }, { result: secret }])
  const { rows } = await service.pool.query('select * from tasks.finished_task, tasks.request')
  equal(rows.length, 1)
  const everything = Object.values(rows[0]).map((value) =>
    Buffer.isBuffer(value) ? value.toString('latin1') : JSON.stringify(value),
  )
  ok(everything.every((text) => !text.includes(secret)))
})

test('after a rotation old values are read with the old key, new ones are written with the new one, and requests repeat', async (t) => {
  const { start } = await setup(t)
  const before = await start(onlyA)
  const { name } = await before.create({ payload: { n: 1 } }, 'once')
  await before.stop()
  const after = await start(rotated)
  deepEqual((await get(after, name)).payload, { n: 1 })
  equal((await after.create({ payload: { n: 1 } }, 'once')).name, name)
  await rejectsWith('REQUEST_ID_REUSED', after.create({ payload: { n: 2 } }, 'once'))
  const second = await after.create({ payload: { n: 2 } })
  const keys = await after.pool.query(
    `select distinct convert_from(substr(payload, 4, get_byte(payload, 2)), 'UTF8') as key from tasks.task order by key`,
  )
  deepEqual(keys.rows, [{ key: 'a' }, { key: 'b' }])
  await after.stop()
  deepEqual((await get(await start(onlyB), second.name)).payload, { n: 2 })
})

test('a value whose key is gone is refused with the name of the key, and the task can still be listed and cancelled', async (t) => {
  const { start } = await setup(t)
  const before = await start(onlyA)
  const { name } = await before.create({ payload: { secret }, scheduleTime: new Date(Date.now() + 60_000) }, 'once')
  await before.stop()
  const after = await start(onlyB)
  const error = await rejectsWith('PAYLOAD_KEY_MISSING', get(after, name))
  deepEqual([error.code, error.metadata], [9, { key: 'a' }])
  await rejectsWith('PAYLOAD_KEY_MISSING', after.create({ payload: { secret } }, 'once'))
  const { tasks } = await after.tasks.listTasks({ parent, pageSize: 0, pageToken: '', filter: '', orderBy: '' })
  deepEqual(
    tasks.map((task) => [task.name, task.payload]),
    [[name, undefined]],
  )
  equal((await after.tasks.cancelTask({ name, etag: '' })).state, 5)
})

test('leasing a task whose key is gone makes it DEAD with the reason, holds up no other, and is undone by key and redrive', async (t) => {
  const { start } = await setup(t)
  const before = await start(onlyA)
  const unreadable = await before.create({
    payload: { n: 1 },
    priority: 9,
    retryPolicy: { maxAttempts: 5 } as Task['retryPolicy'],
  })
  await before.stop()
  const without = await start(onlyB)
  const readable = await without.create({ payload: { n: 2 } })
  const leased: LeasedTask[] = []
  await until(async () => (leased.push(...(await without.lease(1))), leased.length > 0))
  deepEqual(
    leased.map(({ task }) => task!.name),
    [readable.name],
  )
  const isDead = async () => {
    const { tasks } = await without.tasks.listTasks({
      parent,
      pageSize: 0,
      pageToken: '',
      filter: 'state = DEAD',
      orderBy: '',
    })
    return tasks[0]
  }
  await until(async () => (await isDead()) !== undefined)
  const dead = (await isDead())!
  equal(dead.name, unreadable.name)
  equal(fromRpcStatus(dead.error!).reason, 'PAYLOAD_KEY_MISSING')
  equal(dead.attempts.length, 1)
  await without.stop()
  const withBoth = await start(rotated)
  await withBoth.tasks.retryTask({ name: unreadable.name, etag: '' })
  deepEqual(
    (await withBoth.lease()).map(({ task }) => task!.payload),
    [{ n: 1 }],
  )
})

test('where payloads in clear are refused, enqueue() takes none and leaves nothing behind', async (t) => {
  const { start } = await setup(t)
  const strict = await start(onlyA, 'refuse')
  const enqueue = (payload: object | null) =>
    strict.pool.query(`select tasks.enqueue(project => 'p', type => 'echo', request_id => 'r', payload => $1)`, [
      payload,
    ])
  await rejects(enqueue({ secret }), { code: '22023', message: /^payload: cannot be stored in clear here/ })
  equal((await strict.pool.query('select from tasks.task')).rowCount, 0)
  await enqueue(null)
  equal((await strict.lease()).length, 1)
  await strict.stop()
  const lax = await start(onlyA)
  await lax.pool.query(`select tasks.enqueue(project => 'p', type => 'echo', payload => '{"n": 1}')`)
  deepEqual((await lax.lease())[0]?.task?.payload, { n: 1 })
})

test('what was stored in clear stays readable when encryption is switched on, also what enqueue() stores', async (t) => {
  const { start } = await setup(t)
  const before = await start()
  const { name } = await before.create({ payload: { n: 1 } }, 'once')
  await before.stop()
  const after = await start(onlyA)
  deepEqual((await get(after, name)).payload, { n: 1 })
  equal((await after.create({ payload: { n: 1 } }, 'once')).name, name)
  await after.pool.query(`select tasks.enqueue(project => 'p', type => 'echo', payload => '{"n": 2}')`)
  deepEqual(
    (await after.lease()).map(({ task }) => task!.payload),
    [{ n: 1 }, { n: 2 }],
  )
})

test('the size limit counts what the caller sent', async (t) => {
  const { start } = await setup(t)
  const service = await start(onlyA)
  const exact = { text: 'x'.repeat(262_144 - 18) }
  const bytes = Struct.encode(Struct.wrap(exact)).finish().length
  const payload = { text: exact.text.slice(bytes - 262_144) }
  equal(Struct.encode(Struct.wrap(payload)).finish().length, 262_144)
  const { name } = await service.create({ payload })
  deepEqual((await get(service, name)).payload, payload)
  await rejectsWith('INVALID_ARGUMENT', service.create({ payload: { text: payload.text + 'x' } }))
})

test('a replaced payload is sealed for the task that it replaces', async (t) => {
  const { start } = await setup(t)
  const service = await start(onlyA)
  const uniquePolicy = UniquePolicy.UNIQUE_POLICY_REPLACE_PENDING
  const { name } = await service.create({ payload: { n: 1 }, uniqueKey: 'k' })
  const replaced = await service.create({ payload: { n: 2 }, uniqueKey: 'k', uniquePolicy })
  deepEqual([replaced.name, replaced.payload], [name, { n: 2 }])
  const existing = await service.create({ uniqueKey: 'k', uniquePolicy: UniquePolicy.UNIQUE_POLICY_RETURN_EXISTING })
  deepEqual(existing.payload, { n: 2 })
  deepEqual(
    (await service.lease()).map(({ task }) => task!.payload),
    [{ n: 2 }],
  )
})

test('a value that was moved to another task is not handed out', async (t) => {
  const { start } = await setup(t)
  const service = await start(onlyA)
  const mine = await service.create({ payload: { n: 1 } })
  const theirs = await service.create({ payload: { n: 2 } })
  await service.pool.query(
    'update tasks.task set payload = (select payload from tasks.task where id = $1) where id = $2',
    [theirs.uid, mine.uid],
  )
  equal((await rejectsWith('PAYLOAD_DAMAGED', get(service, mine.name))).code, 15)
  deepEqual(
    (await service.lease()).map(({ task }) => task!.name),
    [theirs.name],
  )
})
