import type { VerifyApiKeyRequest, VerifyApiKeyResponse } from '@flowforge/proto/flowforge/accounts/v1/auth_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { unauthenticated } from '@flowforge/runtime/status'
import { apiKeyName } from '../engine/api-keys.ts'
import * as engine from '../engine/verify-api-key.ts'
import type { AccountsDatabase } from '../tables.ts'
import { toRoles } from './roles.ts'

export function verifyApiKey(db: AccountsDatabase): UnaryHandler<VerifyApiKeyRequest, VerifyApiKeyResponse> {
  return async (request) => {
    const credential = await engine.verifyApiKey(db, request.secret)
    // One message for all cases: a guesser must not learn that a key once existed.
    if (credential === undefined) throw unauthenticated('API_KEY_INVALID', 'the API key is not valid')
    return {
      principal: apiKeyName(credential),
      project: `projects/${credential.project}`,
      roles: toRoles(credential.roles),
      expireTime: credential.expireTime ?? undefined,
    }
  }
}
