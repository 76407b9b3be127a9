import type { ApiKey } from '@flowforge/proto/flowforge/accounts/v1/account.ts'
import type { CreateApiKeyRequest } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import { check, required } from '@flowforge/runtime/findings'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/api-keys.ts'
import type { AccountsDatabase } from '../tables.ts'
import { actorOf } from './actor.ts'
import { displayNameFinding } from './check.ts'
import { parseProject, parseUserOf } from './names.ts'
import { toApiKey } from './resources.ts'
import { rolesFinding, toStoredRoles } from './roles.ts'

export function createApiKey(db: AccountsDatabase): UnaryHandler<CreateApiKeyRequest, ApiKey> {
  return async (request, context) => {
    const project = parseProject(request.parent, 'parent')
    const key = required('api_key', request.apiKey)
    check(
      displayNameFinding('api_key.display_name', key.displayName),
      key.roles.length === 0
        ? { field: 'api_key.roles', description: 'must name at least one role' }
        : rolesFinding('api_key.roles', key.roles),
    )
    const { row, plaintext } = await engine.createApiKey(db, actorOf(context), {
      project,
      displayName: key.displayName,
      roles: toStoredRoles(key.roles),
      user: parseUserOf(project, key.user, 'api_key.user'),
      expireTime: key.expireTime,
    })
    return { ...toApiKey(row), secret: plaintext }
  }
}
