import type { Project } from '@flowforge/proto/flowforge/accounts/v1/account.ts'
import type { CreateProjectRequest } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import { check, idFinding, required } from '@flowforge/runtime/findings'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/projects.ts'
import type { AccountsDatabase } from '../tables.ts'
import { actorOf } from './actor.ts'
import { displayNameFinding } from './check.ts'
import { toProject } from './resources.ts'

export function createProject(db: AccountsDatabase): UnaryHandler<CreateProjectRequest, Project> {
  return async (request, context) => {
    const project = required('project', request.project)
    check(idFinding('project_id', request.projectId), displayNameFinding('project.display_name', project.displayName))
    const row = await engine.createProject(db, actorOf(context), {
      id: request.projectId,
      displayName: project.displayName,
    })
    return toProject(row)
  }
}
