import type { Experiment } from '../experiment.ts'

export const tasksKill: Experiment = {
  name: 'tasks-kill',
  title: 'The only tasks instance is killed under load',
  hypothesis:
    'Callers see UNAVAILABLE until it is started again and nothing else. Workers keep running what they hold, resume their sessions, and no attempt is repeated.',
  isShort: true,
  fault: { kind: 'kill', part: 'tasks', signal: 'SIGKILL', times: 1, everyMs: 0 },
  bounds: { errorShareMax: 0.4, recoverMsMax: 10_000, detectMsMax: 1_000 },
  explanation:
    'The outage lasts as long as a process needs to start. Outcomes that were reported meanwhile are said again on the next stream.',
}
