import { deepEqual, equal, ok } from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Queue } from '@flowforge/proto/flowforge/tasks/v1/queue_service.ts'
import { Task, UniquePolicy } from '@flowforge/proto/flowforge/tasks/v1/task.ts'
import { CreateTaskRequest } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { CompleteTaskRequest, LeaseTasksRequest } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { createTestDatabase } from '@flowforge/runtime/testing/database'
import { isPgBouncerAbsent, startPgBouncer } from '../testing/pgbouncer.ts'
import { startTestTasks } from '../testing/tasks-service.ts'

const parent = 'projects/p'
const tasksCount = 120

test('all but the listener works behind PgBouncer in transaction mode', { skip: isPgBouncerAbsent }, async (t) => {
  const database = await createTestDatabase({ component: 'tasks', folder: join(import.meta.dirname, '../schema') })
  const through = { url: await startPgBouncer(t, database.url), isPooled: true }
  const [one, other] = await Promise.all([1, 2].map(() => startTestTasks({ database, through })))
  t.after(() => Promise.all([one!.stop(), other!.stop()]))
  const create = (n: number, task: Partial<Task>, requestId = '') =>
    (n % 2 ? one! : other!).tasks.createTask(
      CreateTaskRequest.fromPartial({ parent, task: { type: 'echo', ...task }, requestId }),
    )
  const queue = { name: `${parent}/queues/default`, concurrencyPerKey: 20 }
  await create(0, { labels: { first: 'yes' } })
  await one!.queues.updateQueue({ queue: Queue.fromPartial(queue), updateMask: ['concurrency_per_key'] })

  // Every way of creating, from both instances at once, and each of them twice.
  const created = await Promise.all(
    Array.from({ length: tasksCount }, async (_, n) => {
      const keys = [{}, { fairnessKey: `f${n % 3}` }, { concurrencyKey: `c${n % 30}` }][n % 3]
      const unique = n % 5 ? {} : { uniqueKey: `u${n}`, uniquePolicy: UniquePolicy.UNIQUE_POLICY_RETURN_EXISTING }
      const task = { ...keys, ...unique }
      const [first, again] = await Promise.all([create(n, task, `request ${n}`), create(n + 1, task, `request ${n}`)])
      equal(first.name, again.name)
      return first.name
    }),
  )
  equal(new Set(created).size, tasksCount)

  const done = new Set<string>()
  const work = async (service: typeof one): Promise<void> => {
    while (done.size < tasksCount + 1) {
      const { tasks } = await service!.workers.leaseTasks(
        LeaseTasksRequest.fromPartial({ parent, worker: 'w', maxTasks: 20, wait: { seconds: 1n } }),
      )
      for (const { lease } of tasks) ok(!done.has(lease!.task) && done.add(lease!.task))
      await Promise.all(
        tasks.map(({ lease }) =>
          service!.workers.completeTask(CompleteTaskRequest.fromPartial({ name: lease!.task, lease })),
        ),
      )
    }
  }
  await Promise.all([work(one), work(other)])
  deepEqual(
    created.filter((name) => !done.has(name)),
    [],
  )

  // A wake-up still goes from one instance to a worker who waits at the other.
  const waiting = other!.workers.leaseTasks(
    LeaseTasksRequest.fromPartial({ parent, worker: 'w', maxTasks: 1, wait: { seconds: 20n } }),
  )
  const { name } = await create(1, {})
  equal((await waiting).tasks[0]?.lease?.task, name)
})
