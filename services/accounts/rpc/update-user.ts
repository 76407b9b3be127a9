import type { User } from '@flowforge/proto/flowforge/accounts/v1/account.ts'
import type { UpdateUserRequest } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import { check, required } from '@flowforge/runtime/findings'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/users.ts'
import type { AccountsDatabase } from '../tables.ts'
import { actorOf } from './actor.ts'
import { displayNameFinding } from './check.ts'
import { parseUser } from './names.ts'
import { toUser } from './resources.ts'
import { rolesFinding, toStoredRoles } from './roles.ts'
import { fieldsToChange } from '@flowforge/runtime/update-mask'

export function updateUser(db: AccountsDatabase): UnaryHandler<UpdateUserRequest, User> {
  return async (request, context) => {
    const user = required('user', request.user)
    const key = parseUser(user.name, 'user.name')
    const fields = fieldsToChange(request.updateMask, {
      display_name: user.displayName !== '',
      roles: user.roles.length > 0,
    })
    check(displayNameFinding('user.display_name', user.displayName), rolesFinding('user.roles', user.roles))
    const row = await engine.updateUser(db, actorOf(context), key, {
      displayName: fields.has('display_name') ? user.displayName : undefined,
      roles: fields.has('roles') ? toStoredRoles(user.roles) : undefined,
    })
    return toUser(row)
  }
}
