/** What is asked of the gateway, by whom and how fast. */

export interface Scenario {
  name: string
  title: string
  /** Connections that stay open; each carries one request at a time. */
  users: number
  /** Arrivals a second, `elapsedMs` after the beginning. */
  ratePerSecond: (elapsedMs: number) => number
  seconds: number
  payloadBytes: number
  /** Every so-many-th request reads a task or a page of a list instead of creating a task. */
  readEvery?: number
  /** How many tasks the two workers run at a time, each; none if 0. */
  capacity: number
  /** Fairness keys, of which the first has half of all tasks. */
  tenants?: number
  /** Tasks that are stored before the beginning; no worker gets one until then. */
  stored?: number
  /** How long each task keeps a worker: it calls a server that answers after so long. Nothing to do if absent. */
  taskMs?: number
  /** The target that this scenario must reach on two cores, if any: 95 of 100 answers within so many milliseconds. */
  p95MsMax?: number
}

const constant = (rate: number) => () => rate
const usual = { seconds: 15, payloadBytes: 400, capacity: 200 }

/** Half of the requests read a task or a page of a list while so many tasks wait and nobody works. */
const dataset = (size: string, stored: number): Scenario => ({
  ...usual,
  name: `stored-${stored / 1_000}k`,
  title: `${size} dataset: ${stored.toLocaleString('en')} tasks wait already, half of the requests read`,
  users: 200,
  ratePerSecond: constant(400),
  capacity: 0,
  readEvery: 2,
  stored,
})

export const scenarios: Scenario[] = [
  { ...usual, name: 'users-100', title: '100 users, 200 tasks/s', users: 100, ratePerSecond: constant(200) },
  { ...usual, name: 'users-500', title: '500 users, 500 tasks/s', users: 500, ratePerSecond: constant(500) },
  {
    ...usual,
    name: 'users-1000',
    title: '1,000 users, 1,000 tasks/s',
    users: 1_000,
    ratePerSecond: constant(1_000),
    seconds: 30,
    p95MsMax: 200,
  },
  { ...usual, name: 'users-2000', title: '2,000 users, 1,000 tasks/s', users: 2_000, ratePerSecond: constant(1_000) },
  {
    ...usual,
    name: 'payload-small',
    title: 'payloads of 50 bytes',
    users: 200,
    ratePerSecond: constant(500),
    payloadBytes: 50,
  },
  {
    ...usual,
    name: 'payload-medium',
    title: 'payloads of 10 KB',
    users: 200,
    ratePerSecond: constant(300),
    payloadBytes: 10_000,
  },
  {
    ...usual,
    name: 'payload-large',
    title: 'payloads of 200 KB',
    users: 50,
    ratePerSecond: constant(40),
    payloadBytes: 200_000,
  },
  dataset('small', 1_000),
  dataset('medium', 10_000),
  dataset('large', 100_000),
  {
    ...usual,
    name: 'burst',
    title: '300/s, and 1,500/s in every fifth second',
    users: 500,
    ratePerSecond: (ms) => (ms % 5_000 < 1_000 ? 1_500 : 300),
    seconds: 20,
  },
  {
    ...usual,
    name: 'spike',
    title: '200/s, and 3,000/s for 3 s',
    users: 1_000,
    ratePerSecond: (ms) => (ms > 6_000 && ms < 9_000 ? 3_000 : 200),
    seconds: 20,
  },
  {
    ...usual,
    name: 'producer-heavy',
    title: '600 tasks/s, each of which takes one of 40 places at the workers for 100 ms',
    users: 200,
    ratePerSecond: constant(600),
    capacity: 20,
    taskMs: 100,
  },
  {
    ...usual,
    name: 'worker-heavy',
    title: 'workers empty a backlog of 50,000 while little is created',
    users: 50,
    ratePerSecond: constant(50),
    capacity: 500,
    stored: 50_000,
  },
  {
    ...usual,
    name: 'tenants',
    title: '50 tenants, one of which creates half of the tasks',
    users: 300,
    ratePerSecond: constant(500),
    tenants: 50,
  },
  {
    ...usual,
    name: 'soak',
    title: '500/s for five minutes',
    users: 300,
    ratePerSecond: constant(500),
    seconds: 300,
  },
]

/** Run only when they are asked for, by name or as `all`. */
export const longScenarios = ['soak']
