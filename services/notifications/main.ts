import { join } from 'node:path'
import { EventServiceClient } from '@flowforge/proto/flowforge/tasks/v1/event_service.ts'
import { TaskServiceClient } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { startAdmin } from '@flowforge/runtime/admin'
import { client, dial } from '@flowforge/runtime/client'
import { openDatabase } from '@flowforge/runtime/database'
import { migrate } from '@flowforge/runtime/migrate'
import { runProcess } from '@flowforge/runtime/run-process'
import { startServer } from '@flowforge/runtime/server'
import { openWorkload } from '@flowforge/runtime/workload'
import { readNotificationsConfig } from './config.ts'
import { takeHeadFrom } from './rpc/take-head.ts'
import { notificationsServices } from './service.ts'
import type { NotificationsSchema } from './tables.ts'
import { follow } from './upkeep/follow.ts'
import { lead } from './upkeep/lead.ts'
import { prune } from './upkeep/prune.ts'

const component = 'notifications'
/** Calls that are under way when the process is told to stop get this long. */
const drainMsMax = 5_000

await runProcess(component, async ({ log, health, onStop, signal }) => {
  const config = readNotificationsConfig()
  const workload = await openWorkload(component, config, log)
  const admin = await startAdmin({ listen: config.adminListen, ready: () => health.isReady(), log })
  onStop(() => admin.stop())

  const { databaseUrl: url } = config
  await migrate({ url, component, folder: join(import.meta.dirname, 'schema'), waitMs: 60_000, log })
  const database = openDatabase<NotificationsSchema>({ url, component, log })
  onStop(() => database.close())
  const db = database.kysely

  const channel = dial({ address: config.tasksAddress, component: 'tasks', workload, log })
  onStop(async () => channel.close())
  const events = client(EventServiceClient, channel)
  const tasks = client(TaskServiceClient, channel)

  const leading = lead({
    databaseUrl: url,
    log,
    signal,
    term: async (term) => {
      const retentionMs = config.deliveryRetentionMs
      await Promise.all([follow({ db, events, tasks, log }, term), prune({ db, retentionMs, log }, term)])
    },
  })
  onStop(() => leading)

  const services = notificationsServices(db, takeHeadFrom(events))
  const server = await startServer({ listen: config.listen, workload, services, log, health })
  onStop(() => server.stop(drainMsMax))
})
