/** What each contender goes through in its turn, in this order. */
import type { Bench } from './bench.ts'
import { bulk } from './scenarios/bulk.ts'
import { drain } from './scenarios/drain.ts'
import { enqueue } from './scenarios/enqueue.ts'
import { idle } from './scenarios/idle.ts'
import { keys } from './scenarios/keys.ts'
import { kill } from './scenarios/kill.ts'
import { latency } from './scenarios/latency.ts'
import { steady } from './scenarios/steady.ts'
import { history } from './scenarios/history.ts'
import { limits } from './scenarios/limits.ts'
import { restart } from './scenarios/restart.ts'
import { snapshot } from './scenarios/snapshot.ts'
import { tenants } from './scenarios/tenants.ts'
import { wakeups } from './scenarios/wakeups.ts'

export const scenarioNames = [
  'idle',
  'latency',
  'steady',
  'enqueue',
  'bulk',
  'drain',
  'keys',
  'kill',
  'tenants',
  'limits',
  'history',
  'snapshot',
  'wakeups',
  'restart',
] as const
export type ScenarioName = (typeof scenarioNames)[number]

export interface Scenario {
  name: ScenarioName
  run: (bench: Bench) => Promise<void>
  /** Only FlowForge has it, or what others would show is known from their documentation. */
  oursOnly?: boolean
  /** Rounds would only repeat it. */
  once?: boolean
}

export const scenarios: Scenario[] = [
  { name: 'idle', run: idle, once: true },
  { name: 'latency', run: latency },
  { name: 'steady', run: steady },
  { name: 'enqueue', run: enqueue },
  { name: 'bulk', run: bulk },
  { name: 'drain', run: drain },
  { name: 'keys', run: keys, oursOnly: true },
  { name: 'kill', run: kill, oursOnly: true },
  { name: 'tenants', run: tenants, oursOnly: true, once: true },
  { name: 'limits', run: limits, oursOnly: true, once: true },
  { name: 'history', run: history, oursOnly: true, once: true },
  { name: 'snapshot', run: snapshot, oursOnly: true, once: true },
  { name: 'wakeups', run: wakeups, oursOnly: true, once: true },
  { name: 'restart', run: restart, oursOnly: true, once: true },
]
