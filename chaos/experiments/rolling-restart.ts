import type { Experiment } from '../experiment.ts'

const title = 'Every process is restarted in turn'
const hypothesis =
  'A process that ends in order finishes what it has begun. Callers see UNAVAILABLE only while a component with a single instance is away; no task is lost and no attempt of a worker that drains counts as failed.'
const parts = ['worker', 'notifications', 'accounts', 'tasks', 'gateway'] as const
const explanation =
  'On one machine each component has one instance, so its absence is seen. In Kubernetes the rest of the replicas take over.'

export const rollingRestart: Experiment = {
  name: 'rolling-restart',
  title: `${title}, twice`,
  hypothesis,
  isShort: true,
  fault: { kind: 'roll', parts: [...parts], rounds: 2 },
  bounds: { errorShareMax: 0.5, recoverMsMax: 6_000 },
  explanation,
}

export const rollingRestart50: Experiment = {
  ...rollingRestart,
  name: 'rolling-restart-50',
  title: `${title}, fifty times`,
  isShort: false,
  fault: { kind: 'roll', parts: [...parts], rounds: 50 },
  bounds: { errorShareMax: 0.7, recoverMsMax: 10_000 },
  improvement:
    'The abort rule ended the first run after two minutes, since every call failed: the launcher took an ordered end for a crash and waited up to 10 s before it started the process again. Who ends as asked is now started at once.',
}
