/** Scenarios that take long at full size are run alone, now and then: load/results/engine-full.json keeps the last of each. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '@flowforge/local/config'
import { short } from '../report/numbers.ts'
import { markdown } from '../report/table.ts'
import { measures, type MeasureName } from './measures.ts'
import type { Results } from './results.ts'
import type { ScenarioName } from './scenarios.ts'

/** A run of some scenarios at scale "full". */
export interface FullRun {
  scenarios: ScenarioName[]
  time: string
  commit: string
  failures: string[]
  /** Of FlowForge, in the order in which they were measured. */
  figures: { measure: MeasureName; value: number }[]
}

const file = join(root, 'load/results/engine-full.json')

/** The last run of each scenario; empty if there was none. */
export function readFullRuns(): FullRun[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as FullRun[]) : []
}

/** Keeps a run in place of earlier ones of its scenarios. */
export function keepFullRun(scenarios: ScenarioName[], { time, commit, failures, samples }: Results): void {
  const run: FullRun = {
    scenarios,
    time,
    commit,
    failures: failures.map(({ scenario, error }) => `${scenario}: ${error.split('\n')[0]}`),
    figures: samples.map(({ measure, value }) => ({ measure, value })),
  }
  const others = readFullRuns().filter((earlier) => !earlier.scenarios.some((name) => scenarios.includes(name)))
  writeFileSync(file, `${JSON.stringify([...others, run], null, 2)}\n`)
}

/** The section of the README. */
export function fullSection(runs: FullRun[]): string {
  if (runs.length === 0) return ''
  const rows = runs.flatMap(({ time, commit, failures, figures }) => [
    ...figures.map(({ measure, value }) => {
      const { title, unit } = measures[measure]
      return [`${title}${unit && `, ${unit}`}`, short(value), `${time.slice(0, 16).replace('T', ' ')}, ${commit}`]
    }),
    ...failures.map((failure) => [`**failed at ${failure}**`, '', `${time.slice(0, 16).replace('T', ' ')}, ${commit}`]),
  ])
  return `## At full size

Scenarios that take long, run alone by \`npm run load -- engine --scale full --only flowforge --scenario NAMES\`; the data is
in \`load/results/engine-full.json\`. The rows of history are written by SQL.

${markdown([['', 'flowforge', 'when, commit'], ...rows])}
`
}
