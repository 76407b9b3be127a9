import type { Experiment } from '../experiment.ts'

export const gatewayKill: Experiment = {
  name: 'gateway-kill',
  title: 'One of two gateways is killed under load',
  hypothesis:
    'Its connections are reset, and what was sent on them is sent again under its request ID to the other one; nothing is done twice. New connections go to the other one as soon as the balancer sees that this one is away.',
  system: { instances: 2 },
  fault: { kind: 'kill', part: 'gateway', signal: 'SIGKILL', times: 1, everyMs: 0 },
  bounds: { errorShareMax: 0.01, recoverMsMax: 3_000, detectMsMax: 1_000 },
  explanation:
    'A gateway owns nothing: whoever is connected loses at most the answers that were under way, and whether a task was created, its request ID tells.',
}
