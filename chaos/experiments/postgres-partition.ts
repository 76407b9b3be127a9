import type { Experiment } from '../experiment.ts'

export const postgresPartition: Experiment = {
  name: 'postgres-partition',
  title: 'PostgreSQL cannot be reached from tasks for 8 s, and no connection is told',
  hypothesis:
    'Calls fail at their deadline and not later, memory does not grow with what waits, and everything goes on when the network is back.',
  isShort: true,
  fault: { kind: 'link', from: 'tasks', to: 'postgres', lost: 'both', forMs: 8_000 },
  bounds: { errorShareMax: 0.7, recoverMsMax: 10_000 },
  explanation: 'A silent network is the hardest to notice: what tells is the deadline of each call.',
}
