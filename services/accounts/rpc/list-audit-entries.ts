import type {
  ListAuditEntriesRequest,
  ListAuditEntriesResponse,
} from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/audit.ts'
import type { AccountsDatabase } from '../tables.ts'
import { parseProject } from './names.ts'
import { nextPageToken, readPage } from '@flowforge/runtime/paging'
import { toAuditEntry } from './resources.ts'

export function listAuditEntries(
  db: AccountsDatabase,
): UnaryHandler<ListAuditEntriesRequest, ListAuditEntriesResponse> {
  return async (request) => {
    const project = parseProject(request.parent, 'parent')
    const scope = ['auditEntries', project]
    const page = await engine.listAuditEntries(db, project, readPage(request, scope))
    return { auditEntries: page.rows.map(toAuditEntry), nextPageToken: nextPageToken(page, scope) }
  }
}
