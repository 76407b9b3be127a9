import { status } from '@grpc/grpc-js'
import type { MethodPolicy } from '@flowforge/runtime/policy'
import type { Principal } from './principal.ts'
import { refusal } from './refusal.ts'

/**
 * Answers with the project that a call is about, or refuses it: without one of the RPC's roles, or with a resource name
 * of another project. The refusal is the same whether that project exists or not.
 */
export function authorize(principal: Principal, policy: MethodPolicy, names: Iterable<string>): string {
  if (!hasRole(principal, policy)) {
    const needed = [...policy.roles].join(' or ')
    throw refusal(
      status.PERMISSION_DENIED,
      'ROLE_MISSING',
      `this needs the role ${needed === '' ? 'of a service' : needed}`,
    )
  }
  const { projects } = principal
  let project: string | undefined
  for (const name of names) {
    const own = projects.find((candidate) => isInside(name, candidate))
    if (own === undefined || (project !== undefined && own !== project)) {
      throw refusal(
        status.PERMISSION_DENIED,
        'OTHER_PROJECT',
        `the credential is of ${projects.join(', ')} and nothing else`,
      )
    }
    project = own
  }
  return project ?? projects[0]
}

function hasRole({ roles }: Principal, policy: MethodPolicy): boolean {
  // An RPC that names no role is for services among themselves, whoever asks.
  if (policy.roles.size === 0) return false
  if (roles.has('admin')) return true
  for (const role of policy.roles) if (roles.has(role)) return true
  return false
}

function isInside(name: string, project: string): boolean {
  return name === project || (name.startsWith(project) && name.charCodeAt(project.length) === 47) /* / */
}
