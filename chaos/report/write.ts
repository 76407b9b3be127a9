import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '@flowforge/local/config'
import { experiments } from '../experiments.ts'
import { readResults } from '../results.ts'
import { chart } from './chart.ts'
import { markdown } from './markdown.ts'

const reports = join(root, 'docs/reports')

/** Writes docs/reports/chaos.md and its charts from the last results. */
export function writeReport(): void {
  const results = readResults('local')
  const before = readResults('before')
  const cluster = readResults('kubernetes')
  const all = experiments.map((experiment) => ({
    experiment,
    result: results.find(({ name }) => name === experiment.name),
    before: before.find(({ name }) => name === experiment.name),
    cluster: cluster.find(({ name }) => name === experiment.name),
  }))
  mkdirSync(join(reports, 'chaos'), { recursive: true })
  for (const { experiment, result } of all)
    if (result && result.series.length > 0)
      writeFileSync(join(reports, 'chaos', `${experiment.name}.svg`), chart(experiment, result))
  for (const { experiment, before: earlier } of all)
    if (earlier) writeFileSync(join(reports, 'chaos', `${experiment.name}-before.svg`), chart(experiment, earlier))
  writeFileSync(join(reports, 'chaos.md'), markdown(all))
}
