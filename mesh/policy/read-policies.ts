/** The compiler's front end: contracts in, policies out, or every reason why not. */
import type { DescService, FileRegistry } from '@bufbuild/protobuf'
import { descriptorRegistry } from '@flowforge/proto/descriptors'
import { declarationsOf } from './declared.ts'
import { components, type Component, type ComponentPolicy, type MethodPolicy, type Policies } from './policy.ts'
import { PolicyError, type Problem } from './problem.ts'
import { judgeGroups, readComponent, type DeclaredService } from './read-component.ts'
import { readMethod } from './read-method.ts'
import { serviceLine } from './source.ts'

let loaded: Policies | undefined

/** The policies of FlowForge's own contracts, read once. Throws a PolicyError as `readPolicies` does. */
export function loadPolicies(): Policies {
  loaded ??= readPolicies(descriptorRegistry())
  return loaded
}

/**
 * Reads the policies of all `flowforge.*` services.
 *
 * Throws a PolicyError that names every problem with file, line and mend: an RPC that would be open, unbounded or
 * repeated without being safe compiles into nothing, and a process with such contracts does not start.
 */
export function readPolicies(registry: FileRegistry): Policies {
  const declarations = declarationsOf(registry)
  const problems: Problem[] = []
  const methods = new Map<string, MethodPolicy>()
  const ports = new Map<Component, ComponentPolicy>()
  for (const [component, services] of servicesByComponent(registry, problems)) {
    const declared: DeclaredService[] = services.map((service) => ({
      service,
      policy: declarations.ofService(service),
    }))
    const port = readComponent(component, declared, declarations, problems)
    ports.set(component, port)
    for (const { service, policy } of declared) {
      for (const method of service.methods) {
        const scope = { declarations, component, service: policy, breaker: port.breaker, problems }
        const read = readMethod(method, scope)
        methods.set(read.path, read)
      }
    }
  }
  judgeGroups(methods.values(), problems)
  if (problems.length > 0) throw new PolicyError(problems)
  return { methods, components: ports }
}

/** The package says who serves: `flowforge.tasks.v1` is `tasks`. */
function servicesByComponent(registry: FileRegistry, problems: Problem[]): Map<Component, DescService[]> {
  const found = new Map<Component, DescService[]>()
  for (const { proto, services } of registry.files) {
    const word = /^flowforge\.(\w+)\.v\d+$/.exec(proto.package)?.[1]
    if (word === undefined) continue
    const component = components.find((one) => one === word)
    if (component) found.set(component, [...(found.get(component) ?? []), ...services])
    else if (services.length > 0) {
      problems.push({
        source: serviceLine(services[0]!),
        subject: services[0]!.typeName,
        message: `is served by ${word}, which is no component`,
        mend: 'add it to flowforge.mesh.v1.Component or move the service',
      })
    }
  }
  return new Map([...found].filter(([, services]) => services.length > 0))
}
