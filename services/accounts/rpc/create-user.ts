import type { User } from '@flowforge/proto/flowforge/accounts/v1/account.ts'
import type { CreateUserRequest } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import { check, required } from '@flowforge/runtime/findings'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/users.ts'
import type { AccountsDatabase } from '../tables.ts'
import { actorOf } from './actor.ts'
import { displayNameFinding, emailFinding } from './check.ts'
import { parseProject } from './names.ts'
import { toUser } from './resources.ts'
import { rolesFinding, toStoredRoles } from './roles.ts'

export function createUser(db: AccountsDatabase): UnaryHandler<CreateUserRequest, User> {
  return async (request, context) => {
    const project = parseProject(request.parent, 'parent')
    const user = required('user', request.user)
    check(
      emailFinding('user.email', user.email),
      displayNameFinding('user.display_name', user.displayName),
      rolesFinding('user.roles', user.roles),
    )
    const row = await engine.createUser(db, actorOf(context), {
      project,
      email: user.email,
      displayName: user.displayName,
      roles: toStoredRoles(user.roles),
    })
    return toUser(row)
  }
}
