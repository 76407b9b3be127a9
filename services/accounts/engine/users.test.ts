import { equal, notEqual } from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '@flowforge/runtime/testing/poll'
import { sql } from 'kysely'
import { openAccounts } from '../testing/serve.ts'
import { getApiKey } from './api-keys.ts'
import { createProject } from './projects.ts'
import { hashSecret } from './secret.ts'
import { createUser, deleteUser } from './users.ts'

const actor = { principal: 'projects/mail/apiKeys/me', method: 'test' }

test('a user cannot be deleted past a key that is being created for it', async (t) => {
  const { db } = await openAccounts(t)
  await createProject(db, actor, { id: 'mail', displayName: '' })
  const { id } = await createUser(db, actor, { project: 'mail', email: 'ann@example.com', displayName: '', roles: [] })
  let deletion: Promise<void> | undefined
  await db.transaction().execute(async (creation) => {
    await creation.selectFrom('accounts.users').select('id').where('id', '=', id).forKeyShare().execute()
    deletion = deleteUser(db, actor, { project: 'mail', user: id })
    await until(async () => {
      const waiting = await sql`select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
      return waiting.rows.length > 0
    })
    await creation
      .insertInto('accounts.api_keys')
      .values({
        project: 'mail',
        id: 'late',
        display_name: '',
        roles: ['admin'],
        user_id: id,
        secret_hash: hashSecret('late'),
        prefix: 'late',
      })
      .execute()
  })
  await deletion
  const key = await getApiKey(db, { project: 'mail', apiKey: 'late' })
  equal(key.user_id, id)
  notEqual(key.revoke_time, null)
})
