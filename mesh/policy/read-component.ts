/** What the services of one component declare together: they share a port, a Kubernetes Service and groups. */
import type { DescService } from '@bufbuild/protobuf'
import { serviceFields, type Declarations, type DeclaredServicePolicy } from './declared.ts'
import { defaultBreaker } from './defaults.ts'
import type { Component, ComponentPolicy, MethodPolicy } from './policy.ts'
import type { Problem } from './problem.ts'
import { readBreaker, readRate, readRetry, type Report } from './read-fields.ts'
import { serviceLine } from './source.ts'

/** A service and what it declares. */
export interface DeclaredService {
  service: DescService
  policy: DeclaredServicePolicy
}

export function readComponent(
  component: Component,
  services: DeclaredService[],
  declarations: Declarations,
  problems: Problem[],
): ComponentPolicy {
  const reporter = (service: DescService, field: keyof typeof serviceFields): Report => {
    const source = serviceLine(service, declarations.servicePolicyNumber, serviceFields[field])
    return (message, mend) => problems.push({ source, subject: service.typeName, message, mend })
  }
  const only = <F extends 'meshRate' | 'breaker'>(field: F): DeclaredService | undefined => {
    const [first, second] = services.filter(({ policy }) => policy[field] !== undefined)
    if (second) {
      reporter(second.service, field)(
        `declares ${field === 'meshRate' ? 'mesh_rate' : field}, and so does ${first!.service.typeName}; ${component} has one port for both`,
        'declare it in one service of the component',
      )
    }
    return first
  }
  for (const { service, policy } of services) if (policy.retry) readRetry(policy.retry, reporter(service, 'retry'))
  const rated = only('meshRate')
  const broken = only('breaker')
  return {
    component,
    meshRate: rated && readRate('mesh_rate', rated.policy.meshRate, reporter(rated.service, 'meshRate')),
    breaker: (broken && readBreaker(broken.policy.breaker!, reporter(broken.service, 'breaker'))) ?? {
      ...defaultBreaker,
    },
  }
}

/** RPCs of one group share a bulkhead, so they must agree on its size and be of one kind. */
export function judgeGroups(methods: Iterable<MethodPolicy>, problems: Problem[]): void {
  const first = new Map<string, MethodPolicy>()
  for (const method of methods) {
    const key = `${method.component} ${method.group}`
    const other = first.get(key)
    if (!other) {
      first.set(key, method)
      continue
    }
    const report = (message: string, mend: string): void => {
      problems.push({ source: method.source, subject: method.path.slice(1), message, mend })
    }
    if (method.concurrency !== other.concurrency) {
      report(
        `allows ${method.concurrency} calls at once in the group "${method.group}", ${other.path.slice(1)} allows ${other.concurrency}`,
        'give it a group of its own or the same concurrency',
      )
    }
    if (method.isStream !== other.isStream) {
      report(
        `shares the group "${method.group}" with ${other.path.slice(1)}; streams would keep the room of quick calls for ever`,
        'give streams a group of their own',
      )
    }
  }
}
