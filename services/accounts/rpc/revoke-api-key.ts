import type { ApiKey } from '@flowforge/proto/flowforge/accounts/v1/account.ts'
import type { RevokeApiKeyRequest } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/api-keys.ts'
import type { AccountsDatabase } from '../tables.ts'
import { actorOf } from './actor.ts'
import { parseApiKey } from './names.ts'
import { toApiKey } from './resources.ts'

export function revokeApiKey(db: AccountsDatabase): UnaryHandler<RevokeApiKeyRequest, ApiKey> {
  return async (request, context) =>
    toApiKey(await engine.revokeApiKey(db, actorOf(context), parseApiKey(request.name, 'name')))
}
