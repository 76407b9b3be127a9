import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { invalidArgument, notFound } from '@flowforge/runtime/status'
import type { AccountsDatabase, ApiKeyRow, StoredRole } from '../tables.ts'
import { type Actor, audit } from './audit.ts'
import { type Page, type PageRequest, toPage } from '@flowforge/runtime/page'
import { requireProject } from './projects.ts'
import { announceKeyChanges } from './key-changes.ts'
import { allows } from './roles.ts'
import { createSecret, type Secret } from './secret.ts'
import { userName } from './users.ts'

/** Names an API key. */
export interface ApiKeyKey {
  project: string
  apiKey: string
}

/** What a new API key shall be. */
export interface NewApiKey {
  project: string
  displayName: string
  roles: StoredRole[]
  /** The id of the user it is made for. */
  user?: string | undefined
  expireTime?: Date | undefined
}

/** Everything but the hash, which never leaves the database. */
const columns = [
  'number',
  'project',
  'id',
  'display_name',
  'roles',
  'user_id',
  'prefix',
  'expire_time',
  'create_time',
  'revoke_time',
] as const

/**
 * Creates an API key and answers with the only copy of its plaintext.
 *
 * NOT_FOUND if there is no such project or user; INVALID_ARGUMENT if it would be expired from the start, or may do what
 * its user may not.
 */
export async function createApiKey(
  db: AccountsDatabase,
  actor: Actor,
  key: NewApiKey,
  secret: Secret = createSecret(),
): Promise<{ row: ApiKeyRow; plaintext: string }> {
  const row = await db.transaction().execute(async (transaction) => {
    await requireProject(transaction, key.project)
    if (key.user !== undefined) {
      const held = await holdUser(transaction, key.project, key.user)
      const excess = key.roles.find((role) => !allows(held, role))
      if (excess !== undefined) {
        throw invalidArgument({ field: 'api_key.roles', description: `its user does not have the role ${excess}` })
      }
    }
    const created = await transaction
      .insertInto('accounts.api_keys')
      .values({
        project: key.project,
        id: randomUUID(),
        display_name: key.displayName,
        roles: key.roles,
        user_id: key.user ?? null,
        secret_hash: secret.hash,
        prefix: secret.prefix,
        expire_time: key.expireTime ?? null,
      })
      .returning([...columns, sql<boolean>`coalesce(expire_time <= accounts.now(), false)`.as('is_expired')])
      .executeTakeFirstOrThrow()
    if (created.is_expired) {
      throw invalidArgument({ field: 'api_key.expire_time', description: 'must be in the future' })
    }
    await audit(transaction, actor, key.project, apiKeyName({ project: key.project, apiKey: created.id }))
    return created
  })
  return { row, plaintext: secret.plaintext }
}

/** Reads an API key; NOT_FOUND if there is none. */
export async function getApiKey(db: AccountsDatabase, key: ApiKeyKey): Promise<ApiKeyRow> {
  const row = await db
    .selectFrom('accounts.api_keys')
    .select(columns)
    .where('project', '=', key.project)
    .where('id', '=', key.apiKey)
    .executeTakeFirst()
  if (row === undefined) throw notFound(apiKeyName(key))
  return row
}

/** Lists a project's API keys, oldest first, revoked ones too; NOT_FOUND if there is no such project. */
export async function listApiKeys(db: AccountsDatabase, project: string, page: PageRequest): Promise<Page<ApiKeyRow>> {
  await requireProject(db, project)
  let query = db
    .selectFrom('accounts.api_keys')
    .select(columns)
    .where('project', '=', project)
    .orderBy('number')
    .limit(page.size + 1)
  if (page.after !== undefined) query = query.where('number', '>', page.after)
  return toPage(await query.execute(), page.size, (row) => row.number)
}

/** Revokes an API key; a repeat answers alike and changes nothing. NOT_FOUND if there is none. */
export async function revokeApiKey(db: AccountsDatabase, actor: Actor, key: ApiKeyKey): Promise<ApiKeyRow> {
  return await db.transaction().execute(async (transaction) => {
    const revoked = await transaction
      .updateTable('accounts.api_keys')
      .set({ revoke_time: sql<Date>`accounts.now()` })
      .where('project', '=', key.project)
      .where('id', '=', key.apiKey)
      .where('revoke_time', 'is', null)
      .returning(columns)
      .executeTakeFirst()
    if (revoked === undefined) return await getApiKey(transaction, key)
    await audit(transaction, actor, key.project, apiKeyName(key))
    await announceKeyChanges(transaction, [apiKeyName(key)])
    return revoked
  })
}

/** Writes an API key's resource name. */
export function apiKeyName(key: ApiKeyKey): string {
  return `projects/${key.project}/apiKeys/${key.apiKey}`
}

/** Keeps a user from being deleted until the transaction ends and answers with its roles; NOT_FOUND if there is none. */
async function holdUser(transaction: AccountsDatabase, project: string, user: string): Promise<StoredRole[]> {
  const row = await transaction
    .selectFrom('accounts.users')
    .select('roles')
    .where('project', '=', project)
    .where('id', '=', user)
    .forKeyShare()
    .executeTakeFirst()
  if (row === undefined) throw notFound(userName({ project, user }))
  return row.roles
}
