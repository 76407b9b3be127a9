import type {
  ExtendLeasesRequest,
  ExtendLeasesResponse,
} from '@flowforge/proto/opaque/flowforge/tasks/v1/worker_service.ts'
import type { UnaryHandler } from '@flowforge/runtime/server'
import { extendLeases as extend } from '../engine/extend.ts'
import { leaseKeyOf } from './lease-message.ts'
import { leaseMsOf } from './lease-tasks.ts'
import { parseProject } from './names.ts'
import type { Tasks } from './tasks.ts'
import { Violations } from './violations.ts'

const leasesMax = 1000

/** ExtendLeases: what a heartbeat does for a Work stream. */
export function extendLeases({ engine }: Tasks): UnaryHandler<ExtendLeasesRequest, ExtendLeasesResponse> {
  return async ({ parent, leases, leaseDuration }) => {
    const project = parseProject(parent)
    const violations = new Violations()
    violations.check(leases.length >= 1 && leases.length <= leasesMax, 'leases', `must have 1 to ${leasesMax} items`)
    const leaseMs = leaseMsOf(violations, leaseDuration)
    violations.throwIfAny()
    const keys = leases.map((lease, i) => leaseKeyOf(lease, `leases[${i}]`))
    keys.forEach((key, i) =>
      violations.check(project === '-' || key.project === project, `leases[${i}].task`, 'is of another project'),
    )
    violations.throwIfAny()
    const extended = await extend(engine.pool, keys, leaseMs)
    return {
      results: leases.map((lease, i) => ({
        lease,
        expireTime: extended[i]?.leaseUntil,
        cancelRequested: extended[i]?.cancelRequested ?? false,
        lost: extended[i] === undefined,
      })),
    }
  }
}
