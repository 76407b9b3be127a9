import { notFound } from '@flowforge/runtime/status'
import type { AccountsDatabase, AuditEntryRow } from '../tables.ts'
import { type Page, type PageRequest, toPage } from '@flowforge/runtime/page'

/** Who does something, and by which RPC. */
export interface Actor {
  /** An API key's or user's name, or a workload identity. */
  principal: string
  /** The RPC's full name, without a leading slash. */
  method: string
}

/**
 * Writes down that `actor` changed `resource`.
 *
 * Takes the transaction that makes the change, so that neither exists without the other.
 */
export async function audit(
  transaction: AccountsDatabase,
  actor: Actor,
  project: string,
  resource: string,
): Promise<void> {
  await transaction
    .insertInto('accounts.audit_entries')
    .values({ project, principal: actor.principal, method: actor.method, resource })
    .execute()
}

/** Lists what was done in a project, newest first; NOT_FOUND if there is no such project. */
export async function listAuditEntries(
  db: AccountsDatabase,
  project: string,
  page: PageRequest,
): Promise<Page<AuditEntryRow>> {
  let query = db
    .selectFrom('accounts.audit_entries')
    .selectAll()
    .where('project', '=', project)
    .orderBy('number', 'desc')
    .limit(page.size + 1)
  if (page.after !== undefined) query = query.where('number', '<', page.after)
  const rows = await query.execute()
  // Every project has at least the entry of its creation, so only an unknown one has an empty first page.
  if (rows.length === 0 && page.after === undefined) throw notFound(`projects/${project}`)
  return toPage(rows, page.size, (row) => row.number)
}
