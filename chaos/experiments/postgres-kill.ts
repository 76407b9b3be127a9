import type { Experiment } from '../experiment.ts'

export const postgresKill: Experiment = {
  name: 'postgres-kill',
  title: 'PostgreSQL is killed',
  hypothesis:
    'What was acknowledged had been written to its log, so recovery finds it. Callers see UNAVAILABLE until it is back; no service needs a restart.',
  isShort: true,
  fault: { kind: 'kill', part: 'postgres', signal: 'SIGKILL', times: 1, everyMs: 0 },
  bounds: { errorShareMax: 0.5, recoverMsMax: 15_000, detectMsMax: 2_000 },
  explanation:
    'The launcher waits until the old backends are gone and starts it again; it then replays its log since the last checkpoint.',
}
