import { components, type Component, type ComponentPolicy, type MethodPolicy, type Policies } from '../policy/policy.ts'
import { methodNames } from './names.ts'

/** Who has pods that the chart runs: everybody but the operator, who is a person. */
export const workloads = components.filter((component) => component !== 'operator')

/** One component that serves RPCs, with what the compiler needs to know about it. */
export interface Served {
  component: Component
  port: ComponentPolicy
  methods: MethodPolicy[]
  /** The name of each RPC's objects, by path. */
  names: Map<string, string>
  /**
   * Linkerd judges RPCs by GRPCRoute only on a gRPC Server and by HTTPRoute only on an HTTP one, whatever the route's
   * status says; and it drops rate limits on a gRPC Server without a word. So a rate decides.
   */
  protocol: 'gRPC' | 'HTTP/2'
}

/** All components that serve RPCs, in order. */
export function served({ methods, components: ports }: Policies): Served[] {
  return components.flatMap((component) => {
    const port = ports.get(component)
    if (!port) return []
    const own = [...methods.values()].filter((method) => method.component === component)
    const names = methodNames(own.map(({ path }) => path))
    return [{ component, port, methods: own, names, protocol: port.meshRate ? ('HTTP/2' as const) : ('gRPC' as const) }]
  })
}
