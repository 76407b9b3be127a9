import type { ColumnType, Generated, GeneratedAlways, Kysely, Selectable } from 'kysely'

/** The schema `accounts` as types; schema/0001-accounts.sql creates it. */
export interface AccountsSchema {
  'accounts.projects': ProjectsTable
  'accounts.users': UsersTable
  'accounts.api_keys': ApiKeysTable
  'accounts.audit_entries': AuditEntriesTable
}

/** What the engine works on: the database, or a transaction in it. */
export type AccountsDatabase = Kysely<AccountsSchema>

/** What a principal may do in a project, as it is stored. */
export type StoredRole = 'viewer' | 'submitter' | 'worker' | 'admin'

interface ProjectsTable {
  /** The last segment of the name. */
  id: string
  /** For people; empty if nobody gave one. */
  display_name: string
  create_time: Generated<Date>
}

interface UsersTable {
  /** The order of lists. A string, because it may grow beyond what a JavaScript number holds. */
  number: GeneratedAlways<string>
  /** The id of the project. */
  project: string
  /** The last segment of the name, chosen at random. */
  id: string
  /** As it was given; unique in the project without regard to case. */
  email: string
  display_name: string
  roles: StoredRole[]
  create_time: Generated<Date>
}

interface ApiKeysTable {
  /** The order of lists. */
  number: GeneratedAlways<string>
  /** The id of the project that the key acts in. */
  project: string
  /** The last segment of the name, chosen at random. */
  id: string
  display_name: string
  /** At least one. */
  roles: StoredRole[]
  /** The id of the user it was made for, who may be deleted by now. */
  user_id: string | null
  /** SHA-256 of the key. The key itself is stored nowhere. */
  secret_hash: Buffer
  /** The key's first characters, by which people recognize it. */
  prefix: string
  /** Refused from then on; never, if null. */
  expire_time: Date | null
  create_time: Generated<Date>
  /** When it was revoked; null while it was not. */
  revoke_time: ColumnType<Date | null, never, Date>
}

interface AuditEntriesTable {
  /** The order of lists, and the last segment of the name. */
  number: GeneratedAlways<string>
  /** The id of the project in which something was done. */
  project: string
  /** Who did it: an API key's or user's name, or a workload identity. */
  principal: string
  /** The RPC's full name, without a leading slash. */
  method: string
  /** The name of what was created or changed. */
  resource: string
  create_time: Generated<Date>
}

export type ProjectRow = Selectable<ProjectsTable>
export type UserRow = Selectable<UsersTable>
export type ApiKeyRow = Omit<Selectable<ApiKeysTable>, 'secret_hash'>
export type AuditEntryRow = Selectable<AuditEntriesTable>
