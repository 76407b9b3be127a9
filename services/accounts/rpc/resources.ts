import type { ApiKey, AuditEntry, Project, User } from '@flowforge/proto/flowforge/accounts/v1/account.ts'
import { apiKeyName } from '../engine/api-keys.ts'
import { userName } from '../engine/users.ts'
import type { ApiKeyRow, AuditEntryRow, ProjectRow, UserRow } from '../tables.ts'
import { toRoles } from './roles.ts'

export function toProject(row: ProjectRow): Project {
  return { name: `projects/${row.id}`, displayName: row.display_name, createTime: row.create_time }
}

export function toUser(row: UserRow): User {
  return {
    name: userName({ project: row.project, user: row.id }),
    email: row.email,
    displayName: row.display_name,
    roles: toRoles(row.roles),
    createTime: row.create_time,
  }
}

/** Without its secret, which CreateApiKey alone adds. */
export function toApiKey(row: ApiKeyRow): ApiKey {
  return {
    name: apiKeyName({ project: row.project, apiKey: row.id }),
    displayName: row.display_name,
    roles: toRoles(row.roles),
    user: row.user_id === null ? '' : userName({ project: row.project, user: row.user_id }),
    expireTime: row.expire_time ?? undefined,
    secret: '',
    createTime: row.create_time,
    revokeTime: row.revoke_time ?? undefined,
  }
}

export function toAuditEntry(row: AuditEntryRow): AuditEntry {
  return {
    name: `projects/${row.project}/auditEntries/${row.number}`,
    principal: row.principal,
    method: row.method,
    resource: row.resource,
    createTime: row.create_time,
  }
}
