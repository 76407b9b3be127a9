import type { Experiment } from '../experiment.ts'

export const upstreamUnavailable: Experiment = {
  name: 'upstream-unavailable',
  title: 'Every call to tasks is answered with UNAVAILABLE (a retry storm)',
  hypothesis:
    'The gateway repeats a call at most twice and stops calling at all while its breaker is open, so that a failing upstream gets less load and not more. It closes by itself.',
  fault: { kind: 'upstreamAnswers', from: 'gateway', to: 'tasks', code: 'UNAVAILABLE', forMs: 12_000 },
  bounds: { errorShareMax: 0.8, recoverMsMax: 10_000, detectMsMax: 2_000, amplificationMax: 1.5 },
  explanation: 'Exactly one layer retries: the process without a mesh, the mesh with one.',
}
