import { sql } from 'kysely'
import type { AccountsDatabase, StoredRole } from '../tables.ts'
import { commonRoles } from './roles.ts'
import { hashSecret } from './secret.ts'

/** Whom an API key stands for. */
export interface Credential {
  project: string
  apiKey: string
  roles: StoredRole[]
  expireTime: Date | null
}

/**
 * Looks up whom an API key stands for; undefined if it is unknown, expired or revoked, without saying which.
 *
 * A key of a user may do what both may: it loses a role with its user.
 */
export async function verifyApiKey(db: AccountsDatabase, plaintext: string): Promise<Credential | undefined> {
  const row = await db
    .selectFrom('accounts.api_keys as key')
    .leftJoin('accounts.users as user', (join) =>
      join.onRef('user.project', '=', 'key.project').onRef('user.id', '=', 'key.user_id'),
    )
    .select(['key.project', 'key.id', 'key.roles', 'key.expire_time', 'key.user_id', 'user.roles as user_roles'])
    .where('key.secret_hash', '=', hashSecret(plaintext))
    .where('key.revoke_time', 'is', null)
    .where((where) =>
      where.or([where('key.expire_time', 'is', null), where('key.expire_time', '>', sql<Date>`accounts.now()`)]),
    )
    .executeTakeFirst()
  if (row === undefined) return undefined
  const roles = row.user_id === null ? row.roles : commonRoles(row.roles, row.user_roles ?? [])
  return { project: row.project, apiKey: row.id, roles, expireTime: row.expire_time }
}
