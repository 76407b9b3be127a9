import type { Project } from '@flowforge/proto/flowforge/accounts/v1/account.ts'
import type { GetProjectRequest } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/projects.ts'
import type { AccountsDatabase } from '../tables.ts'
import { parseProject } from './names.ts'
import { toProject } from './resources.ts'

export function getProject(db: AccountsDatabase): UnaryHandler<GetProjectRequest, Project> {
  return async (request) => toProject(await engine.getProject(db, parseProject(request.name, 'name')))
}
