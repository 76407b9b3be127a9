import type { User } from '@flowforge/proto/flowforge/accounts/v1/account.ts'
import type { GetUserRequest } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/users.ts'
import type { AccountsDatabase } from '../tables.ts'
import { parseUser } from './names.ts'
import { toUser } from './resources.ts'

export function getUser(db: AccountsDatabase): UnaryHandler<GetUserRequest, User> {
  return async (request) => toUser(await engine.getUser(db, parseUser(request.name, 'name')))
}
