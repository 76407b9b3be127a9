/** The compiler's middle: policies in, the Kubernetes objects of one installation out. Reads like its table of contents. */
import { callGraph } from '../graph.ts'
import type { Component, Policies } from '../policy/policy.ts'
import { adminPorts } from './admin.ts'
import { served, workloads } from './component.ts'
import { inbound } from './inbound.ts'
import type { Installation } from './installation.ts'
import { networkPolicy } from './network-policy.ts'
import { outbound } from './outbound.ts'
import { rateLimit } from './rate-limit.ts'
import type { Resource } from './resource.ts'

/** Objects that belong together: of one component and one concern. */
export interface Group {
  component: Component
  concern: 'inbound' | 'rates' | 'outbound' | 'admin' | 'network'
  /** In a mesh, in a mesh that does not only audit (Linkerd cannot audit rates), or in any case. */
  when: 'meshed' | 'enforced' | 'always'
  resources: Resource[]
}

export function compile(policies: Policies, installation: Installation): Group[] {
  const edges = callGraph(policies)
  const groups: Group[] = []
  for (const one of served(policies)) {
    const { component } = one
    groups.push({ component, concern: 'inbound', when: 'meshed', resources: inbound(one, installation) })
    if (one.port.meshRate) {
      const limits = [rateLimit(component, one.port.meshRate, installation)]
      groups.push({ component, concern: 'rates', when: 'enforced', resources: limits })
    }
    groups.push({ component, concern: 'outbound', when: 'meshed', resources: outbound(one, installation) })
  }
  for (const component of workloads) {
    groups.push({ component, concern: 'admin', when: 'meshed', resources: adminPorts(component, installation) })
    const network = [networkPolicy(component, edges, installation)]
    groups.push({ component, concern: 'network', when: 'always', resources: network })
  }
  return groups
}
