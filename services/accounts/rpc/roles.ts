import { Role } from '@flowforge/proto/flowforge/mesh/v1/policy.ts'
import type { Finding } from '@flowforge/runtime/findings'
import type { StoredRole } from '../tables.ts'

const stored = new Map<Role, StoredRole>([
  [Role.ROLE_VIEWER, 'viewer'],
  [Role.ROLE_SUBMITTER, 'submitter'],
  [Role.ROLE_WORKER, 'worker'],
  [Role.ROLE_ADMIN, 'admin'],
])
const roles = new Map([...stored].map(([role, word]) => [word, role]))

/** Judges a list of roles: each known, none twice. */
export function rolesFinding(field: string, list: Role[]): Finding {
  const unknown = list.findIndex((role) => !stored.has(role))
  if (unknown >= 0) {
    const description = 'must be ROLE_VIEWER, ROLE_SUBMITTER, ROLE_WORKER or ROLE_ADMIN'
    return { field: `${field}[${unknown}]`, description }
  }
  if (new Set(list).size < list.length) return { field, description: 'must not name a role twice' }
  return undefined
}

/** The roles as they are stored; `rolesFinding` has judged them. */
export function toStoredRoles(list: Role[]): StoredRole[] {
  return list.flatMap((role) => stored.get(role) ?? [])
}

/** The roles as the contract has them. */
export function toRoles(list: StoredRole[]): Role[] {
  return list.flatMap((role) => roles.get(role) ?? [])
}
