import { deepEqual, equal, rejects } from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { LeaseTasksRequest } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { v7 as uuid } from 'uuid'
import { checkTask } from '../rpc/check-task.ts'
import { newTask } from '../rpc/create-task.ts'
import { leaseKeyOf } from '../rpc/lease-message.ts'
import { rejectsWith } from '../testing/rejects-with.ts'
import { startTestTasks, type TestTasks } from '../testing/tasks-service.ts'
import type { LeaseKey } from './fence.ts'

let service: TestTasks
before(async () => {
  service = await startTestTasks()
})
after(() => service.stop())

/** A task that a worker runs, and what is created beside its success. */
async function setup(t: { name: string }) {
  const { engine, pool, tasks, workers } = service
  const project = t.name.replace(/[^a-z]+/g, '-').slice(0, 60)
  const parent = `projects/${project}`
  await tasks.createTask(CreateTaskRequest.fromPartial({ parent, task: { type: 'echo' } }))
  const { tasks: leased } = await workers.leaseTasks(
    LeaseTasksRequest.fromPartial({ parent, worker: 'w', maxTasks: 1 }),
  )
  const queue = await engine.queues.make(project, 'default')
  return {
    lease: leaseKeyOf(leased[0]!.lease as Parameters<typeof leaseKeyOf>[0]),
    create: () => engine.create(newTask(checkTask(project, task, '', 1000, ''), queue)),
    createAll: (count: number) =>
      engine.createAll(Array.from({ length: count }, () => newTask(checkTask(project, task, '', 1000, ''), queue))),
    async complete(lease: LeaseKey) {
      const [refused] = await engine.completeAll([{ ...lease, result: Buffer.from([]) }])
      if (refused) throw refused
    },
    /** The transactions that stored what waits and what has finished. */
    transactions: async () => {
      const { rows } = await pool.query(
        `select distinct xmin::text as xid from tasks.task where queue_id = $1
          union all select xmin::text from tasks.finished_task where queue_id = $1`,
        [queue.id],
      )
      return rows.map(({ xid }) => xid)
    },
  }
}

const { task } = CreateTaskRequest.fromPartial({ task: { type: 'echo' } }) as unknown as {
  task: Parameters<typeof checkTask>[1]
}

test('a success that waits when tasks are created is recorded by the same transaction', async (t) => {
  const { create, complete, lease, transactions } = await setup(t)
  const [first, second] = await Promise.all([create(), create(), complete(lease)])
  deepEqual([first.isNew, second.isNew], [true, true])
  const [created, finished] = await transactions()
  equal(created, finished)
})

test('a success without the lease is refused, and what is created beside it and another success stand', async (t) => {
  const { create, complete, lease, transactions } = await setup(t)
  const [created] = await Promise.all([
    create(),
    create(),
    rejectsWith('LEASE_LOST', complete({ ...lease, attempt: 2 })),
    complete(lease),
    rejectsWith('LEASE_LOST', complete({ ...lease, sessionId: lease.sessionId + 1n })),
  ])
  equal(created.isNew, true)
  equal(new Set(await transactions()).size, 1)
})

test('a success that the database cannot take fails alone', async (t) => {
  const { create, complete, lease, transactions } = await setup(t)
  const [created] = await Promise.all([
    create(),
    create(),
    complete(lease),
    // No text holds a zero byte.
    rejects(complete({ ...lease, id: uuid(), project: '\0' }), { code: '22021' }),
  ])
  equal(created.isNew, true)
  equal((await transactions()).length, 2)
})

test('of calls with 1,000 tasks each two share a statement', async (t) => {
  const { createAll, transactions } = await setup(t)
  const before = await transactions()
  const answers = await Promise.all(Array.from({ length: 4 }, () => createAll(1_000)))
  equal(answers.flat().filter((answer) => 'isNew' in answer && answer.isNew).length, 4_000)
  equal((await transactions()).length, before.length + 2)
})
