import type { ListApiKeysRequest, ListApiKeysResponse } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/api-keys.ts'
import type { AccountsDatabase } from '../tables.ts'
import { parseProject } from './names.ts'
import { nextPageToken, readPage } from '@flowforge/runtime/paging'
import { toApiKey } from './resources.ts'

export function listApiKeys(db: AccountsDatabase): UnaryHandler<ListApiKeysRequest, ListApiKeysResponse> {
  return async (request) => {
    const project = parseProject(request.parent, 'parent')
    const scope = ['apiKeys', project]
    const page = await engine.listApiKeys(db, project, readPage(request, scope))
    return { apiKeys: page.rows.map(toApiKey), nextPageToken: nextPageToken(page, scope) }
  }
}
