import type { Project } from '@flowforge/proto/flowforge/accounts/v1/account.ts'
import type { UpdateProjectRequest } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import { check, required } from '@flowforge/runtime/findings'
import type { UnaryHandler } from '@flowforge/runtime/server'
import * as engine from '../engine/projects.ts'
import type { AccountsDatabase } from '../tables.ts'
import { actorOf } from './actor.ts'
import { displayNameFinding } from './check.ts'
import { parseProject } from './names.ts'
import { toProject } from './resources.ts'
import { fieldsToChange } from '@flowforge/runtime/update-mask'

export function updateProject(db: AccountsDatabase): UnaryHandler<UpdateProjectRequest, Project> {
  return async (request, context) => {
    const project = required('project', request.project)
    const id = parseProject(project.name, 'project.name')
    const fields = fieldsToChange(request.updateMask, { display_name: project.displayName !== '' })
    check(displayNameFinding('project.display_name', project.displayName))
    const row = await engine.updateProject(db, actorOf(context), id, {
      displayName: fields.has('display_name') ? project.displayName : undefined,
    })
    return toProject(row)
  }
}
