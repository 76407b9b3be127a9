import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { SubscriptionServiceClient } from '@flowforge/proto/flowforge/notifications/v1/subscription_service.ts'
import { EventServiceClient } from '@flowforge/proto/flowforge/tasks/v1/event_service.ts'
import { TaskServiceClient } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { client, dial, type PromiseClient } from '@flowforge/runtime/client'
import { openDatabase } from '@flowforge/runtime/database'
import { createHealth } from '@flowforge/runtime/health'
import { startServer } from '@flowforge/runtime/server'
import { testCertificates } from '@flowforge/runtime/testing/certificates'
import { createTestDatabase, type TestDatabase } from '@flowforge/runtime/testing/database'
import { quietLog } from '@flowforge/runtime/testing/log'
import { takeHeadFrom } from '../rpc/take-head.ts'
import { notificationsServices } from '../service.ts'
import type { NotificationsDatabase, NotificationsSchema } from '../tables.ts'
import { follow } from '../upkeep/follow.ts'
import { lead } from '../upkeep/lead.ts'
import { standInForTasks, type TasksStandIn } from './tasks-stand-in.ts'

/** Opens a migrated database of this test's own. */
export async function openNotifications(t: TestContext): Promise<{ db: NotificationsDatabase; clone: TestDatabase }> {
  const clone = await createTestDatabase({ component: 'notifications', folder: join(import.meta.dirname, '../schema') })
  const database = openDatabase<NotificationsSchema>({ url: clone.url, component: 'notifications', log: quietLog })
  t.after(() => database.close())
  return { db: database.kysely, clone }
}

export interface ServedNotifications {
  db: NotificationsDatabase
  clone: TestDatabase
  tasks: TasksStandIn
  subscriptions: PromiseClient<SubscriptionServiceClient>
  /** Starts an instance's follower; it stops with the test, or when this is called. */
  startFollower(): () => Promise<void>
}

/** Serves notifications over mTLS, next to a stand-in for the tasks service. Followers are started by the test. */
export async function serveNotifications(t: TestContext): Promise<ServedNotifications> {
  const { db, clone } = await openNotifications(t)
  const certificates = testCertificates()
  const tasks = await standInForTasks(t, certificates)
  const own = certificates.workloadOf('notifications')
  const channel = dial({ address: tasks.address, component: 'tasks', workload: own, log: quietLog })
  t.after(() => channel.close())
  const events = client(EventServiceClient, channel)
  const server = await startServer({
    listen: '127.0.0.1:0',
    workload: own,
    services: notificationsServices(db, takeHeadFrom(events)),
    log: quietLog,
    health: createHealth(),
  })
  t.after(() => server.stop(1_000))
  const gateway = dial({
    address: `127.0.0.1:${server.port}`,
    component: 'notifications',
    workload: certificates.workloadOf('gateway'),
    log: quietLog,
  })
  t.after(() => gateway.close())
  const startFollower = (): (() => Promise<void>) => {
    const controller = new AbortController()
    const options = { db, events, tasks: client(TaskServiceClient, channel), log: quietLog }
    const leading = lead({
      databaseUrl: clone.url,
      log: quietLog,
      signal: controller.signal,
      retryMs: 50,
      term: (term) => follow(options, term),
    })
    const stop = async (): Promise<void> => {
      controller.abort()
      await leading
    }
    t.after(stop)
    return stop
  }
  return { db, clone, tasks, subscriptions: client(SubscriptionServiceClient, gateway), startFollower }
}
