import { invalidArgument } from '@flowforge/runtime/status'
import { parseName } from '@flowforge/runtime/resource-name'
import type { ApiKeyKey } from '../engine/api-keys.ts'
import type { UserKey } from '../engine/users.ts'

/** Reads `projects/{project}`. */
export function parseProject(name: string, field: string): string {
  return parseName('projects/{project}', name, field).project
}

/** Reads `projects/{project}/users/{user}`. */
export function parseUser(name: string, field: string): UserKey {
  return parseName('projects/{project}/users/{user}', name, field)
}

/** Reads `projects/{project}/apiKeys/{api_key}`. */
export function parseApiKey(name: string, field: string): ApiKeyKey {
  const { project, api_key } = parseName('projects/{project}/apiKeys/{api_key}', name, field)
  return { project, apiKey: api_key }
}

/** Reads an optional user of that project and answers its id. */
export function parseUserOf(project: string, name: string, field: string): string | undefined {
  if (name === '') return undefined
  const user = parseUser(name, field)
  if (user.project === project) return user.user
  throw invalidArgument({ field, description: `must be a user of projects/${project}` })
}
