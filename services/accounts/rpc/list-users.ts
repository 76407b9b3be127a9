import type { ListUsersRequest, ListUsersResponse } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/users.ts'
import type { AccountsDatabase } from '../tables.ts'
import { parseProject } from './names.ts'
import { nextPageToken, readPage } from '@flowforge/runtime/paging'
import { toUser } from './resources.ts'

export function listUsers(db: AccountsDatabase): UnaryHandler<ListUsersRequest, ListUsersResponse> {
  return async (request) => {
    const project = parseProject(request.parent, 'parent')
    const scope = ['users', project]
    const page = await engine.listUsers(db, project, readPage(request, scope))
    return { users: page.rows.map(toUser), nextPageToken: nextPageToken(page, scope) }
  }
}
