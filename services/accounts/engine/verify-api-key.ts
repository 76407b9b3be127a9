import { sql } from 'kysely'
import type { AccountsDatabase, StoredRole } from '../tables.ts'
import { hashSecret } from './secret.ts'

/** Whom an API key stands for. */
export interface Credential {
  project: string
  apiKey: string
  roles: StoredRole[]
  expireTime: Date | null
}

/** Looks up whom an API key stands for; undefined if it is unknown, expired or revoked, without saying which. */
export async function verifyApiKey(db: AccountsDatabase, plaintext: string): Promise<Credential | undefined> {
  const row = await db
    .selectFrom('accounts.api_keys')
    .select(['project', 'id', 'roles', 'expire_time'])
    .where('secret_hash', '=', hashSecret(plaintext))
    .where('revoke_time', 'is', null)
    .where((where) =>
      where.or([where('expire_time', 'is', null), where('expire_time', '>', sql<Date>`accounts.now()`)]),
    )
    .executeTakeFirst()
  if (row === undefined) return undefined
  return { project: row.project, apiKey: row.id, roles: row.roles, expireTime: row.expire_time }
}
