/** Objectives of every RPC, the input of recording rules and alerts. */
import { served } from '../compile/component.ts'
import type { Policies } from '../policy/policy.ts'

export interface Objective {
  component: string
  service: string
  method: string
  /** Names of the RPC's routes behind the component's name, which are labels of Linkerd's metrics. */
  routes: { inbound: string; outbound: string }
  isStream: boolean
  availability: number
  latencySeconds: number
  latencyObjective: number
}

export function objectives(policies: Policies): Objective[] {
  return served(policies).flatMap(({ component, methods, names }) =>
    methods.map(({ path, isStream, slo }) => {
      const [service = '', method = ''] = path.slice(1).split('/')
      const name = names.get(path)!
      return {
        component,
        service,
        method,
        routes: { inbound: `in-${name}`, outbound: `out-${name}` },
        isStream,
        availability: slo.availability,
        latencySeconds: slo.latencyMs / 1_000,
        latencyObjective: slo.latencyObjective,
      }
    }),
  )
}
