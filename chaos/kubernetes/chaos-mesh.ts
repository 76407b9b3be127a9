/**
 * Faults as Chaos Mesh `v1alpha1` specs, of the kinds only that work beside Linkerd's proxy: those that kill pods or act
 * below its TLS. HTTPChaos does not (it speaks no gRPC and meets TLS), nor does killing a sidecar's container.
 */
import type { Fault } from '../fault.ts'
import { selectorOf, type Installation } from './installation.ts'

/** A fault's kind, the field that a workflow holds its spec in, and the spec without a duration. */
export interface Chaos {
  kind: 'PodChaos' | 'NetworkChaos' | 'StressChaos' | 'TimeChaos' | 'IOChaos'
  field: 'podChaos' | 'networkChaos' | 'stressChaos' | 'timeChaos' | 'ioChaos'
  spec: object
}

/** The fault as Chaos Mesh does it; undefined where it has no kind for it. */
export function chaosOf(fault: Fault, installation: Installation): Chaos | undefined {
  switch (fault.kind) {
    case 'kill': {
      const gracePeriod = fault.signal === 'SIGKILL' ? 0 : 30
      const spec = { action: 'pod-kill', mode: 'one', gracePeriod, selector: selectorOf(fault.part, installation) }
      return { kind: 'PodChaos', field: 'podChaos', spec }
    }
    case 'pause': {
      // The container is replaced by one that does nothing: as silent as a stopped process, and gone like a dead one.
      const spec = { action: 'pod-failure', mode: 'one', selector: selectorOf(fault.part, installation) }
      return { kind: 'PodChaos', field: 'podChaos', spec }
    }
    case 'link':
      return { kind: 'NetworkChaos', field: 'networkChaos', spec: networkSpec(fault, installation) }
    case 'burn': {
      const selector = selectorOf('tasks', installation)
      const spec = { mode: 'all', selector, stressors: { cpu: { workers: fault.processes } } }
      return { kind: 'StressChaos', field: 'stressChaos', spec }
    }
    case 'clock': {
      const selector = selectorOf(fault.part, installation)
      const spec = { mode: 'one', selector, timeOffset: `${fault.offsetMs / 1_000}s`, clockIds: ['CLOCK_REALTIME'] }
      return { kind: 'TimeChaos', field: 'timeChaos', spec }
    }
    case 'fillDisk': {
      const enospc = 28
      const volume = { volumePath: '/var/lib/postgresql/data', methods: ['write', 'fallocate'] }
      const selector = selectorOf('postgres', installation)
      const spec = { action: 'fault', mode: 'one', selector, ...volume, errno: enospc, percent: 100 }
      return { kind: 'IOChaos', field: 'ioChaos', spec }
    }
    default:
      return undefined
  }
}

function networkSpec(fault: Extract<Fault, { kind: 'link' }>, installation: Installation): object {
  const [caller, callee] = [selectorOf(fault.from, installation), selectorOf(fault.to, installation)]
  const between = { mode: 'all', selector: caller, target: { mode: 'all', selector: callee } }
  // `to` is what the selected pods send to the target: the requests.
  const directions = { requests: 'to', answers: 'from', both: 'both' }
  if (fault.lost) return { action: 'partition', ...between, direction: directions[fault.lost] }
  // Where a link of ours resets connections, a network of machines loses packets.
  const loss = fault.resetEveryMs ? { loss: { loss: '1', correlation: '25' } } : {}
  const delay = { latency: `${fault.latencyMs ?? 0}ms`, jitter: '10ms', correlation: '25' }
  return { action: fault.resetEveryMs ? 'netem' : 'delay', ...between, direction: 'both', delay, ...loss }
}
