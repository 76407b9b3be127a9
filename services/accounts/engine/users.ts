import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { isUniqueViolation } from '@flowforge/runtime/database'
import { alreadyExists, notFound } from '@flowforge/runtime/status'
import type { AccountsDatabase, StoredRole, UserRow } from '../tables.ts'
import { type Actor, audit } from './audit.ts'
import { type Page, type PageRequest, toPage } from '@flowforge/runtime/page'
import { announceKeyChanges } from './key-changes.ts'
import { requireProject } from './projects.ts'

/** Names a user. */
export interface UserKey {
  project: string
  user: string
}

/** Creates a user; ALREADY_EXISTS if the project has one with that email, however it is capitalized. */
export async function createUser(
  db: AccountsDatabase,
  actor: Actor,
  user: { project: string; email: string; displayName: string; roles: StoredRole[] },
): Promise<UserRow> {
  try {
    return await db.transaction().execute(async (transaction) => {
      await requireProject(transaction, user.project)
      const row = await transaction
        .insertInto('accounts.users')
        .values({
          project: user.project,
          id: randomUUID(),
          email: user.email,
          display_name: user.displayName,
          roles: user.roles,
        })
        .returningAll()
        .executeTakeFirstOrThrow()
      await audit(transaction, actor, row.project, userName({ project: row.project, user: row.id }))
      return row
    })
  } catch (error) {
    if (!isUniqueViolation(error)) throw error
    throw alreadyExists('EMAIL_EXISTS', `projects/${user.project} has a user with this email already`)
  }
}

/** Reads a user; NOT_FOUND if there is none. */
export async function getUser(db: AccountsDatabase, key: UserKey): Promise<UserRow> {
  const row = await db
    .selectFrom('accounts.users')
    .selectAll()
    .where('project', '=', key.project)
    .where('id', '=', key.user)
    .executeTakeFirst()
  if (row === undefined) throw notFound(userName(key))
  return row
}

/** Lists a project's users, oldest first; NOT_FOUND if there is no such project. */
export async function listUsers(db: AccountsDatabase, project: string, page: PageRequest): Promise<Page<UserRow>> {
  await requireProject(db, project)
  let query = db
    .selectFrom('accounts.users')
    .selectAll()
    .where('project', '=', project)
    .orderBy('number')
    .limit(page.size + 1)
  if (page.after !== undefined) query = query.where('number', '>', page.after)
  return toPage(await query.execute(), page.size, (row) => row.number)
}

/** Changes what `changes` holds, and with its roles what its keys may do; NOT_FOUND if there is no such user. */
export async function updateUser(
  db: AccountsDatabase,
  actor: Actor,
  key: UserKey,
  changes: { displayName?: string | undefined; roles?: StoredRole[] | undefined },
): Promise<UserRow> {
  if (changes.displayName === undefined && changes.roles === undefined) return await getUser(db, key)
  return await db.transaction().execute(async (transaction) => {
    const row = await transaction
      .updateTable('accounts.users')
      .set({ display_name: changes.displayName, roles: changes.roles })
      .where('project', '=', key.project)
      .where('id', '=', key.user)
      .returningAll()
      .executeTakeFirst()
    if (row === undefined) throw notFound(userName(key))
    await audit(transaction, actor, key.project, userName(key))
    if (changes.roles !== undefined) {
      const keys = await transaction
        .selectFrom('accounts.api_keys')
        .select('id')
        .where('project', '=', key.project)
        .where('user_id', '=', key.user)
        .where('revoke_time', 'is', null)
        .execute()
      await announceKeyChanges(transaction, keyNames(key.project, keys))
    }
    return row
  })
}

/** Deletes a user and revokes every key that was made for it; NOT_FOUND if there is no such user. */
export async function deleteUser(db: AccountsDatabase, actor: Actor, key: UserKey): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    // First the user: this waits for a CreateApiKey that holds it, so that the next statement sees that key too.
    const deleted = await transaction
      .deleteFrom('accounts.users')
      .where('project', '=', key.project)
      .where('id', '=', key.user)
      .returning('id')
      .executeTakeFirst()
    if (deleted === undefined) throw notFound(userName(key))
    const revoked = await transaction
      .updateTable('accounts.api_keys')
      .set({ revoke_time: sql<Date>`accounts.now()` })
      .where('project', '=', key.project)
      .where('user_id', '=', key.user)
      .where('revoke_time', 'is', null)
      .returning('id')
      .execute()
    await audit(transaction, actor, key.project, userName(key))
    await announceKeyChanges(transaction, keyNames(key.project, revoked))
  })
}

function keyNames(project: string, rows: readonly { id: string }[]): string[] {
  return rows.map(({ id }) => `projects/${project}/apiKeys/${id}`)
}

/** Writes a user's resource name. */
export function userName(key: UserKey): string {
  return `projects/${key.project}/users/${key.user}`
}
