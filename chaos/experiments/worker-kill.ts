import type { Experiment } from '../experiment.ts'

export const workerKill: Experiment = {
  name: 'worker-kill',
  title: 'A worker is killed in the middle of its tasks, three times',
  hypothesis:
    'No caller notices. What the worker ran goes to another worker once the grace of its broken stream is over, and each task still finishes once.',
  isShort: true,
  traffic: { taskMs: [100, 800] },
  fault: { kind: 'kill', part: 'worker', signal: 'SIGKILL', times: 3, everyMs: 3_000 },
  bounds: { errorShareMax: 0, recoverMsMax: 6_000, detectMsMax: 500 },
  explanation:
    'The kernel closes the stream of a killed process at once. The session keeps its leases for 2 s, in case the worker only lost its connection, and then returns them.',
}
