import type { Experiment } from '../experiment.ts'

export const linkSlow: Experiment = {
  name: 'link-slow',
  title: '200 ms more, and a reset every 4 s, between gateway and tasks',
  hypothesis:
    'Creations take 200 ms longer and no deadline is missed. A reset costs at most the calls in flight, which are safe to repeat under their request ID.',
  isShort: true,
  fault: { kind: 'link', from: 'gateway', to: 'tasks', latencyMs: 100, resetEveryMs: 4_000, forMs: 9_000 },
  bounds: { errorShareMax: 0.1, recoverMsMax: 4_000 },
  explanation:
    'One connection carries every call of the gateway, so a reset ends all that are in flight, and the next ones wait for a new handshake, which takes three round trips.',
}
