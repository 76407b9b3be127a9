import type { Experiment } from '../experiment.ts'

const perMinute = 900

export const redisGone: Experiment = {
  name: 'redis-gone',
  title: 'The Redis that two gateways share is killed and comes back empty',
  hypothesis:
    'No call fails or waits. Each gateway limits callers by what it has seen itself, so one gets at most as much of each gateway as it may have of all. Two gateways without a Redis keep no answers, so nobody is told anything older than his own write: before, meanwhile or after.',
  system: { instances: 2, redis: true, env: { FLOWFORGE_RATE_LIMIT_PER_MINUTE: String(perMinute) } },
  traffic: { ratePerSecond: 20 },
  fault: { kind: 'redisGone', greedyPerSecond: 300, forMs: 8_000 },
  bounds: { errorShareMax: 0, p99DuringMsMax: 500, recoverMsMax: 2_000, admittedMax: 2 * perMinute },
  explanation:
    'Commands to Redis fail at once while there is no connection, and a gateway that could not tell Redis of a change clears it before it is used again.',
}
