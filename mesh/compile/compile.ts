/** The compiler's middle: policies in, the Kubernetes objects of one installation out. Reads like its table of contents. */
import { callGraph } from '../graph.ts'
import type { Component, Policies } from '../policy/policy.ts'
import { adminPorts } from './admin.ts'
import { served, workloads } from './component.ts'
import { inbound } from './inbound.ts'
import type { Installation } from './installation.ts'
import { networkPolicy } from './network-policy.ts'
import { outbound } from './outbound.ts'
import type { Resource } from './resource.ts'

/** Objects that belong together: of one component and one concern. */
export interface Group {
  component: Component
  concern: 'inbound' | 'outbound' | 'admin' | 'network'
  /** Whether the objects only make sense in a mesh. */
  isMesh: boolean
  resources: Resource[]
}

export function compile(policies: Policies, installation: Installation): Group[] {
  const edges = callGraph(policies)
  const groups: Group[] = []
  for (const one of served(policies)) {
    const { component } = one
    groups.push({ component, concern: 'inbound', isMesh: true, resources: inbound(one, installation) })
    groups.push({ component, concern: 'outbound', isMesh: true, resources: outbound(one, installation) })
  }
  for (const component of workloads) {
    groups.push({ component, concern: 'admin', isMesh: true, resources: adminPorts(component, installation) })
    const network = [networkPolicy(component, edges, installation)]
    groups.push({ component, concern: 'network', isMesh: false, resources: network })
  }
  return groups
}
