import type { Experiment } from '../experiment.ts'

const parts = ['worker', 'notifications', 'accounts', 'tasks', 'gateway'] as const

export const rollingRestart: Experiment = {
  name: 'rolling-restart',
  title: 'Two instances of every service and both workers are restarted, one after the other',
  hypothesis:
    'No caller notices. A process that ends in order says that it is leaving before it does, finishes what it has begun, and the other one takes what comes; no task is lost and no attempt of a worker that drains counts as failed.',
  isShort: true,
  system: { instances: 2 },
  fault: { kind: 'roll', parts: [...parts], rounds: 1, isSideBySide: false },
  bounds: { errorShareMax: 0.001, p99DuringMsMax: 500, recoverMsMax: 3_000, lostAttemptsMax: 0 },
  explanation:
    'Told to end, a process is not ready any more and goes on serving for a moment, until the balancer has seen it. The gateway asks its callers with each answer to close their connection; tasks and the others send GOAWAY, and a call that they have not begun goes to the other instance.',
  improvement:
    'With one instance of each component a restart was an outage, and the bound let half of the calls fail. To run two, workers and notifications had to learn to be told of several addresses of tasks ([`target`](../../services/runtime/config.ts)); the gateway asks its kept connections to come back elsewhere before it ends ([`leave`](../../gateway/server.ts)) and goes on serving meanwhile (`FLOWFORGE_SHUTDOWN_DELAY`).',
}

export const rollingRestart50: Experiment = {
  ...rollingRestart,
  name: 'rolling-restart-50',
  title: 'Two instances of every service and both workers are restarted fifty times, all services side by side',
  isShort: false,
  fault: { kind: 'roll', parts: [...parts], rounds: 50, isSideBySide: true },
  // Five processes that start at a time want more than the two cores that are there.
  bounds: { ...rollingRestart.bounds, p99DuringMsMax: 1_000 },
  improvement:
    'The abort rule ended the first run after two minutes, since every call failed: the launcher took an ordered end for a crash and waited up to 10 s before it started the process again. Who ends as asked is now [started at once](../../services/local/supervise.ts).',
}
