/** What is measured: every figure that a scenario may report. */
import type { Measure } from '../report/results.ts'

export const measures = {
  enqueue10: { title: 'single enqueue, 10 producers', unit: 'tasks/s', better: 'higher' },
  enqueue100: { title: 'single enqueue, 100 producers', unit: 'tasks/s', better: 'higher' },
  bulk: { title: 'bulk enqueue, 1,000 a call', unit: 'tasks/s', better: 'higher' },
  drain: { title: 'drain', unit: 'tasks/s', better: 'higher' },
  steady: { title: 'produce + consume, 10 producers', unit: 'tasks/s', better: 'higher' },
  latencyP50: { title: 'enqueue to start at 100/s, p50', unit: 'ms', better: 'lower' },
  latencyP99: { title: 'enqueue to start at 100/s, p99', unit: 'ms', better: 'lower' },
  enqueue10CpuUs: { title: 'CPU a task, single enqueue', unit: 'µs', better: 'lower' },
  enqueue100Commits: { title: 'writing transactions a task, single enqueue, 100 producers', unit: '', better: 'lower' },
  bulkCpuUs: { title: 'CPU a task, bulk enqueue', unit: 'µs', better: 'lower' },
  drainCpuUs: { title: 'CPU a task, drain', unit: 'µs', better: 'lower' },
  steadyCpuUs: { title: 'CPU a task, produce + consume', unit: 'µs', better: 'lower' },
  steadyLogBytes: { title: 'WAL (AOF) a task, produce + consume', unit: 'bytes', better: 'lower' },
  steadyCommits: { title: 'writing transactions a task, produce + consume', unit: '', better: 'lower' },
  drainLogBytes: { title: 'WAL (AOF) a task, drain', unit: 'bytes', better: 'lower' },
  drainCommits: { title: 'writing transactions a task, drain', unit: '', better: 'lower' },
  idleStatements: { title: 'statements while idle', unit: '/s', better: 'lower' },
  rerunAfterKillMs: { title: 'SIGKILL of a worker to its last task running again', unit: 'ms', better: 'lower' },
  keysNone: { title: 'bulk enqueue + drain, no keys', unit: 'tasks/s', better: 'higher' },
  keysFairness: { title: 'bulk enqueue + drain, 1,000 fairness keys', unit: 'tasks/s', better: 'higher' },
  keysConcurrency: { title: 'bulk enqueue + drain, 1,000 keys limited to 10', unit: 'tasks/s', better: 'higher' },
  sharesOffPercent: { title: 'largest distance of a share from its weight', unit: '%', better: 'lower' },
  tenantWaitMs: { title: "a tenant's single task behind another's backlog, longest wait", unit: 'ms', better: 'lower' },
  leasesWithinLimits: { title: 'leases in which no limit was exceeded', unit: '', better: 'higher' },
  finishedTasks: { title: 'finished tasks kept', unit: '', better: 'higher' },
  leaseBesideHistory: { title: 'p99 of a lease beside them, of that without', unit: '×', better: 'lower' },
  dropMs: { title: 'longest lease + complete while a day of history is dropped', unit: 'ms', better: 'lower' },
  snapshotRate: { title: '800/s with a snapshot held open, of that without', unit: '%', better: 'higher' },
  snapshotP99: { title: 'enqueue to start meanwhile, p99', unit: 'ms', better: 'lower' },
  notifies: { title: 'NOTIFYs while 100 producers enqueue', unit: '/s', better: 'lower' },
  restartTasks: {
    title: 'tasks while two instances and two workers are replaced, none lost or doubled',
    unit: '',
    better: 'higher',
  },
  restartCreateP99: { title: 'create call meanwhile, p99', unit: 'ms', better: 'lower' },
  restartP99: {
    title: 'enqueue to start meanwhile, p99',
    unit: 'ms',
    better: 'lower',
  },
  severedP99: { title: 'enqueue to start at an instance that hears no NOTIFY, p99', unit: 'ms', better: 'lower' },
} satisfies Record<string, Measure>

export type MeasureName = keyof typeof measures
