import type { Experiment } from '../experiment.ts'

export const workerPartition: Experiment = {
  name: 'worker-partition',
  title: 'Workers hear tasks, and tasks does not hear the workers',
  hypothesis:
    'Both sides notice by the heartbeats that are not answered. Leases end after 10 s, the workers stop what they run by then, and nothing finishes twice.',
  traffic: { taskMs: [50, 400] },
  fault: { kind: 'link', from: 'worker', to: 'tasks', lost: 'requests', forMs: 15_000 },
  bounds: { errorShareMax: 0, recoverMsMax: 20_000 },
  explanation:
    'Half of a connection is enough to look alive to TCP and not enough to work. Nobody works during the partition; afterwards the backlog of the keys drains at their limit, which is what takes long.',
}
