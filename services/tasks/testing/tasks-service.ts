/** The tasks service on a database of its own, listening on a port of its own, with real mTLS. */
import { join } from 'node:path'
import { EventServiceClient } from '@flowforge/proto/flowforge/tasks/v1/event_service.ts'
import { QueueServiceClient } from '@flowforge/proto/flowforge/tasks/v1/queue_service.ts'
import { ScheduleServiceClient } from '@flowforge/proto/flowforge/tasks/v1/schedule_service.ts'
import { TaskServiceClient } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { WorkerServiceClient } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { client, dial, type Channel } from '@flowforge/runtime/client'
import { openDatabase } from '@flowforge/runtime/database'
import { createHealth } from '@flowforge/runtime/health'
import { startServer } from '@flowforge/runtime/server'
import { testCertificates } from '@flowforge/runtime/testing/certificates'
import { createTestDatabase, type TestDatabase } from '@flowforge/runtime/testing/database'
import { createLogger } from '@flowforge/runtime/log'
import { startTasks, type TasksOptions } from '../start.ts'

// What fails inside is worth seeing; what is refused is not.
const log = createLogger('tasks', 'error')

export type TestTasks = Awaited<ReturnType<typeof startTestTasks>>

/** Starts the service; `stop` ends it. Several can share a database: pass the first one's `database`; all but the listener go `through` what stands before it. */
export async function startTestTasks(
  options: Partial<TasksOptions> & { database?: TestDatabase; through?: { url: string; isPooled: boolean } } = {},
) {
  const database =
    options.database ??
    (await createTestDatabase({ component: 'tasks', folder: join(import.meta.dirname, '../schema') }))
  const { url, isPooled } = options.through ?? { url: database.url, isPooled: false }
  const { pool, close } = openDatabase({ url, isPooled, component: 'tasks', log })
  const tasks = await startTasks({
    pool,
    databaseUrl: database.url,
    payloadBytesMax: 262_144,
    clearPayloads: 'allow',
    requestWindowMs: 86_400_000,
    sessionTimeoutMs: 10_000,
    sessionGraceMs: 2_000,
    lossesMax: 5,
    log,
    ...options,
  })
  const certificates = testCertificates()
  const workloads = [certificates.workloadOf('tasks'), certificates.workloadOf('operator')] as const
  const server = await startServer({
    listen: '127.0.0.1:0',
    workload: workloads[0],
    services: tasks.services,
    log,
    health: createHealth(),
  })
  const channel: Channel = dial({
    address: `127.0.0.1:${server.port}`,
    component: 'tasks',
    workload: workloads[1],
    log,
  })
  return {
    database,
    pool,
    engine: tasks.engine,
    address: `127.0.0.1:${server.port}`,
    certificates,
    tasks: client(TaskServiceClient, channel),
    workers: client(WorkerServiceClient, channel),
    queues: client(QueueServiceClient, channel),
    schedules: client(ScheduleServiceClient, channel),
    events: client(EventServiceClient, channel),
    /** Ends the service as SIGTERM does. */
    async stop() {
      tasks.goAway()
      channel.close()
      await server.stop(1_000)
      await tasks.stop()
      await close()
      for (const source of workloads) source.close()
    },
  }
}
