/** The tasks service: wiring, top to bottom. */
import { join } from 'node:path'
import { startAdmin } from '@flowforge/runtime/admin'
import { readConfig } from '@flowforge/runtime/config'
import { openDatabase } from '@flowforge/runtime/database'
import { migrate } from '@flowforge/runtime/migrate'
import { runProcess } from '@flowforge/runtime/run-process'
import { startServer } from '@flowforge/runtime/server'
import { openWorkload } from '@flowforge/runtime/workload'
import { spec } from './config.ts'
import { observeQueueDepth } from './engine/queue-depth.ts'
import { startTasks } from './start.ts'

/** What is under way may take this long when the process is told to stop. */
const drainMs = 5_000

await runProcess('tasks', async ({ log, health, onStop, signal }) => {
  const config = readConfig(spec)
  const admin = await startAdmin({ listen: config.adminListen, ready: health.isReady, log })
  onStop(admin.stop)
  await migrate({
    url: config.databaseUrl,
    component: 'tasks',
    folder: join(import.meta.dirname, 'schema'),
    waitMs: 60_000,
    log,
  })
  const { databaseUrl, databasePoolerUrl } = config
  const isPooled = databasePoolerUrl !== undefined
  const database = openDatabase({ url: databasePoolerUrl ?? databaseUrl, isPooled, component: 'tasks', log })
  onStop(database.close)
  observeQueueDepth(database.pool, log)
  const tasks = await startTasks({ ...config, pool: database.pool, log })
  onStop(tasks.stop)
  const workload = await openWorkload('tasks', config, log)
  onStop(async () => workload.close())
  const server = await startServer({ listen: config.listen, workload, services: tasks.services, log, health })
  onStop(() => server.stop(drainMs))
  signal.addEventListener('abort', tasks.goAway)
})
