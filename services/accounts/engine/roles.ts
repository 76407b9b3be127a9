import type { StoredRole } from '../tables.ts'

/** Whether somebody with these roles may do what `role` may; an admin may do everything. */
export function allows(roles: readonly StoredRole[], role: StoredRole): boolean {
  return roles.includes('admin') || roles.includes(role)
}

/** What holders of either list may both do. */
export function commonRoles(some: readonly StoredRole[], others: readonly StoredRole[]): StoredRole[] {
  if (some.includes('admin')) return [...others]
  return some.filter((role) => allows(others, role))
}
