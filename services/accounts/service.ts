import { AccountServiceService } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import { AuthServiceService } from '@flowforge/proto/flowforge/accounts/v1/auth_service.ts'
import { service, type Service } from '@flowforge/runtime/server'
import { createApiKey } from './rpc/create-api-key.ts'
import { createProject } from './rpc/create-project.ts'
import { createUser } from './rpc/create-user.ts'
import { deleteUser } from './rpc/delete-user.ts'
import { getApiKey } from './rpc/get-api-key.ts'
import { getProject } from './rpc/get-project.ts'
import { getUser } from './rpc/get-user.ts'
import { listApiKeys } from './rpc/list-api-keys.ts'
import { listAuditEntries } from './rpc/list-audit-entries.ts'
import { listProjects } from './rpc/list-projects.ts'
import { listUsers } from './rpc/list-users.ts'
import { revokeApiKey } from './rpc/revoke-api-key.ts'
import { updateProject } from './rpc/update-project.ts'
import { updateUser } from './rpc/update-user.ts'
import { verifyApiKey } from './rpc/verify-api-key.ts'
import { watchApiKeys } from './rpc/watch-api-keys.ts'
import type { KeyChanges } from './engine/key-changes.ts'
import type { AccountsDatabase } from './tables.ts'

/** The table of contents: every RPC of `flowforge.accounts.v1` and what answers it. */
export function accountsServices(db: AccountsDatabase, keyChanges: KeyChanges): Service[] {
  return [
    service(AccountServiceService, {
      createProject: createProject(db),
      getProject: getProject(db),
      listProjects: listProjects(db),
      updateProject: updateProject(db),
      createUser: createUser(db),
      getUser: getUser(db),
      listUsers: listUsers(db),
      updateUser: updateUser(db),
      deleteUser: deleteUser(db),
      createApiKey: createApiKey(db),
      getApiKey: getApiKey(db),
      listApiKeys: listApiKeys(db),
      revokeApiKey: revokeApiKey(db),
      listAuditEntries: listAuditEntries(db),
    }),
    service(AuthServiceService, { verifyApiKey: verifyApiKey(db), watchApiKeys: watchApiKeys(keyChanges) }),
  ]
}
