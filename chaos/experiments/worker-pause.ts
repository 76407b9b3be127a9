import type { Experiment } from '../experiment.ts'

export const workerPause: Experiment = {
  name: 'worker-pause',
  title: 'A worker stops for longer than its session lives, and then goes on (a zombie)',
  hypothesis:
    'Its leases end 10 s after its last heartbeat and the tasks run elsewhere. What it reports when it wakes is refused, so nothing finishes twice.',
  isShort: true,
  traffic: { taskMs: [100, 800] },
  fault: { kind: 'pause', part: 'worker', forMs: 14_000 },
  bounds: { errorShareMax: 0, recoverMsMax: 8_000, detectMsMax: 12_000 },
  explanation:
    'Nothing closes the stream of a stopped process: only the missing heartbeat tells. Until then its tasks wait, and the keys whose slots they hold wait with them.',
}
