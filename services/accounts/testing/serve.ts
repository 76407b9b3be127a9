import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { AccountServiceClient } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import { AuthServiceClient } from '@flowforge/proto/flowforge/accounts/v1/auth_service.ts'
import { client, dial, type Channel, type PromiseClient } from '@flowforge/runtime/client'
import { openDatabase } from '@flowforge/runtime/database'
import { createHealth } from '@flowforge/runtime/health'
import { startServer } from '@flowforge/runtime/server'
import { testCertificates } from '@flowforge/runtime/testing/certificates'
import { createTestDatabase, type TestDatabase } from '@flowforge/runtime/testing/database'
import { quietLog } from '@flowforge/runtime/testing/log'
import { bootstrap } from '../engine/bootstrap.ts'
import { KeyChanges } from '../engine/key-changes.ts'
import { accountsServices } from '../service.ts'
import type { AccountsDatabase, AccountsSchema } from '../tables.ts'

/** The identity under which the test's service acts for itself. */
export const ownIdentity = 'accounts.flowforge.serviceaccount.identity.linkerd.cluster.local'

/** Opens a migrated database of this test's own. */
export async function openAccounts(t: TestContext): Promise<{ db: AccountsDatabase; clone: TestDatabase }> {
  const clone = await createTestDatabase({ component: 'accounts', folder: join(import.meta.dirname, '../schema') })
  const database = openDatabase<AccountsSchema>({ url: clone.url, component: 'accounts', log: quietLog })
  t.after(() => database.close())
  return { db: database.kysely, clone }
}

export interface ServedAccounts {
  db: AccountsDatabase
  clone: TestDatabase
  accounts: PromiseClient<AccountServiceClient>
  auth: PromiseClient<AuthServiceClient>
  /** A channel under another component's certificate. */
  dialAs(component: string): Channel
}

/** Serves accounts over mTLS, with `projects/default` made, to clients that hold the gateway's certificate. */
export async function serveAccounts(t: TestContext): Promise<ServedAccounts> {
  const { db, clone } = await openAccounts(t)
  await bootstrap(db, ownIdentity)
  const certificates = testCertificates()
  const keyChanges = new KeyChanges(clone.url, quietLog)
  await keyChanges.start()
  t.after(() => keyChanges.stop())
  const server = await startServer({
    listen: '127.0.0.1:0',
    workload: certificates.workloadOf('accounts'),
    services: accountsServices(db, keyChanges),
    log: quietLog,
    health: createHealth(),
  })
  t.after(() => server.stop(1_000))
  const dialAs = (component: string): Channel => {
    const channel = dial({
      address: `127.0.0.1:${server.port}`,
      component: 'accounts',
      workload: certificates.workloadOf(component),
      log: quietLog,
    })
    t.after(() => channel.close())
    return channel
  }
  const channel = dialAs('gateway')
  return {
    db,
    clone,
    accounts: client(AccountServiceClient, channel),
    auth: client(AuthServiceClient, channel),
    dialAs,
  }
}
