import type { DeleteUserRequest } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import type { Empty } from '@flowforge/proto/google/protobuf/empty.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/users.ts'
import type { AccountsDatabase } from '../tables.ts'
import { actorOf } from './actor.ts'
import { parseUser } from './names.ts'

export function deleteUser(db: AccountsDatabase): UnaryHandler<DeleteUserRequest, Empty> {
  return async (request, context) => {
    await engine.deleteUser(db, actorOf(context), parseUser(request.name, 'name'))
    return {}
  }
}
