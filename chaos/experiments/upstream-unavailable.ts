import type { Experiment } from '../experiment.ts'

export const upstreamUnavailable: Experiment = {
  name: 'upstream-unavailable',
  title: 'Every call to tasks is answered with UNAVAILABLE (a retry storm)',
  hypothesis:
    'The gateway repeats a call at most twice and stops calling at all while its breaker is open, so that a failing upstream gets less load and not more. It closes by itself.',
  fault: { kind: 'upstreamAnswers', from: 'gateway', to: 'tasks', code: 'UNAVAILABLE', forMs: 12_000 },
  bounds: { errorShareMax: 0.8, recoverMsMax: 9_000, detectMsMax: 2_000, amplificationMax: 1.5 },
  explanation:
    'Each call pays a tenth of a retry into a budget, and ten failures in a row open the breaker, which lets one call probe after a pause that doubles. Exactly one layer retries: the process without a mesh, the mesh with one.',
  improvement:
    'The first run had 4.5 calls at the failing upstream for each call of a client: five attempts, no budget and no breaker. [Budgets, breakers and bulkheads](../../services/runtime/guarded-call.ts) followed. Then the breaker was seen to stay open for up to 30 s after the upstream was well again: it now probes at least every 5 to 7.5 s ([`max_penalty`](../../proto/flowforge/mesh/v1/policy.proto) in the contracts), which costs a failing upstream one call.',
}
