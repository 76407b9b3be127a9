/** What the engine's tables and chart show. */
import type { Drawing } from '../report/chart.ts'
import type { Sheet } from '../report/table.ts'
import { measures, type MeasureName } from './measures.ts'
import type { Results } from './results.ts'

const rates: MeasureName[] = ['enqueue10', 'enqueue100', 'bulk', 'drain', 'steady']
const waits: MeasureName[] = ['latencyP50', 'latencyP99']
const costs: MeasureName[] = [
  'enqueue10CpuUs',
  'enqueue100Commits',
  'bulkCpuUs',
  'drainCpuUs',
  'steadyCpuUs',
  'steadyLogBytes',
  'steadyCommits',
  'drainLogBytes',
  'drainCommits',
  'idleStatements',
]
const own: MeasureName[] = [
  'keysNone',
  'keysFairness',
  'keysFairnessShare',
  'keysConcurrency',
  'keysConcurrencyShare',
  'rerunAfterKillMs',
  'sharesOffPercent',
  'tenantWaitMs',
  'leasesWithinLimits',
  'finishedTasks',
  'leaseBesideHistory',
  'dropMs',
  'snapshotRate',
  'snapshotP99',
  'notifies',
  'severedP99',
  'restartTasks',
  'restartCreateP99',
  'restartP99',
]

export const sheet: Sheet = {
  ours: 'flowforge',
  measures,
  tables: [
    { title: 'Speed: median of the rounds (lowest to highest)', rows: [...rates, ...waits], show: 'all' },
    {
      title: 'How many times better FlowForge is, compared round by round',
      rows: [...rates, ...waits],
      show: 'ratios',
    },
    { title: 'Cost', rows: costs, show: 'all' },
    { title: 'FlowForge alone', rows: own, show: 'ours' },
  ],
}

/** The chart of these results. */
export function drawing({ machine, rounds, time }: Results): Drawing {
  const interleaved = rounds === 1 ? 'round' : 'rounds: median, and lowest to highest'
  return {
    title: 'FlowForge and other task queues',
    note: `${machine.cores} cores, ${rounds} interleaved ${interleaved}; tasks durable (bullmq's within a second); ${time.slice(0, 10)}`,
    ours: 'flowforge',
    measures,
    panels: [
      { title: 'tasks a second, more is better', measures: rates },
      { title: 'milliseconds, less is better', measures: waits },
    ],
    // FlowForge stands out; a peer and its tuned setting share a hue.
    colours: {
      flowforge: '#d9480f',
      graphile: '#a5b4fc',
      'graphile-local-queue': '#4f46e5',
      'pg-boss': '#a7d8c8',
      'pg-boss-batch': '#0f766e',
      bullmq: '#f3c969',
      'bullmq-always': '#b7791f',
      river: '#b8c4d0',
      'river-tuned': '#475569',
    },
  }
}
