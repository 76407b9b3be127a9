import type { ApiKey } from '@flowforge/proto/flowforge/accounts/v1/account.ts'
import type { GetApiKeyRequest } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/api-keys.ts'
import type { AccountsDatabase } from '../tables.ts'
import { parseApiKey } from './names.ts'
import { toApiKey } from './resources.ts'

export function getApiKey(db: AccountsDatabase): UnaryHandler<GetApiKeyRequest, ApiKey> {
  return async (request) => toApiKey(await engine.getApiKey(db, parseApiKey(request.name, 'name')))
}
