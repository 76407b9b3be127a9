/** Load tests by ghz: what the contract knows about a call. Rate, duration, data and address are the scenario's. */
import { formatDuration } from '../policy/duration.ts'
import type { Policies } from '../policy/policy.ts'

/** Configuration files of ghz by file name, one for each unary RPC; paths are relative to the repository's root. */
export function ghzConfigs({ methods }: Policies): Map<string, object> {
  const configs = new Map<string, object>()
  for (const { path, component, isStream, timeoutMs, slo } of methods.values()) {
    if (isStream || timeoutMs === undefined) continue
    const call = path.slice(1)
    configs.set(`${component}.${call.split('/')[1]!}.json`, {
      name: call,
      protoset: 'proto/gen/descriptors.binpb',
      call,
      timeout: formatDuration(timeoutMs),
      tags: {
        component,
        'slo-availability': String(slo.availability),
        'slo-latency-ms': String(slo.latencyMs),
        'slo-latency-objective': String(slo.latencyObjective),
      },
    })
  }
  return configs
}
