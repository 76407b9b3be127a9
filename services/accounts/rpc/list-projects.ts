import type {
  ListProjectsRequest,
  ListProjectsResponse,
} from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/projects.ts'
import type { AccountsDatabase } from '../tables.ts'
import { parseProject } from './names.ts'
import { nextPageToken, readPage } from '@flowforge/runtime/paging'
import { toProject } from './resources.ts'

/** A principal has roles in one project and sees that one; a workload, which has none, sees all. */
export function listProjects(db: AccountsDatabase): UnaryHandler<ListProjectsRequest, ListProjectsResponse> {
  return async (request, context) => {
    const only = context.project === undefined ? undefined : parseProject(context.project, 'flowforge-project')
    const scope = ['projects', only]
    const page = await engine.listProjects(db, readPage(request, scope, 'id'), only)
    return { projects: page.rows.map(toProject), nextPageToken: nextPageToken(page, scope) }
  }
}
