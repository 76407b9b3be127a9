import { join } from 'node:path'
import { startAdmin } from '@flowforge/runtime/admin'
import { openDatabase } from '@flowforge/runtime/database'
import { migrate } from '@flowforge/runtime/migrate'
import { runProcess } from '@flowforge/runtime/run-process'
import { startServer } from '@flowforge/runtime/server'
import { openWorkload } from '@flowforge/runtime/workload'
import { readAccountsConfig } from './config.ts'
import { bootstrap } from './engine/bootstrap.ts'
import { KeyChanges } from './engine/key-changes.ts'
import { accountsServices } from './service.ts'
import type { AccountsSchema } from './tables.ts'

const component = 'accounts'
/** Calls that are under way when the process is told to stop get this long. */
const drainMsMax = 5_000

await runProcess(component, async ({ log, health, onStop }) => {
  const config = readAccountsConfig()
  const workload = await openWorkload(component, config, log)
  const admin = await startAdmin({ listen: config.adminListen, ready: () => health.isReady(), log })
  onStop(() => admin.stop())

  const { databaseUrl: url } = config
  await migrate({ url, component, folder: join(import.meta.dirname, 'schema'), waitMs: 60_000, log })
  const database = openDatabase<AccountsSchema>({ url, component, log })
  onStop(() => database.close())
  const made = await bootstrap(database.kysely, workload.identity, {
    written: config.bootstrapKeyFile,
    given: config.adminKeyFile,
  })
  if (made.keyFile) log.info({ file: config.bootstrapKeyFile }, 'wrote an admin key for projects/default')
  if (made.givenKey) log.info({ file: config.adminKeyFile }, 'took a given admin key for projects/default')

  const keyChanges = new KeyChanges(url, log)
  onStop(() => keyChanges.stop())
  await keyChanges.start()
  const services = accountsServices(database.kysely, keyChanges)
  const server = await startServer({ listen: config.listen, workload, services, log, health })
  onStop(() => server.stop(drainMsMax))
})
