import { deepEqual, doesNotMatch, equal, match, notEqual } from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '@flowforge/local/config'
import { experiments } from '../experiments.ts'
import { readResults } from '../results.ts'
import { chart } from './chart.ts'
import { markdown } from './markdown.ts'

const results = readResults('local')

test('the report has each experiment, with what was predicted and what was seen', () => {
  const text = markdown(
    experiments.map((experiment) => ({
      experiment,
      result: results.find(({ name }) => name === experiment.name),
      before: undefined,
      cluster: readResults('kubernetes').find(({ name }) => name === experiment.name),
    })),
  )
  for (const { name, hypothesis } of experiments) {
    match(text, new RegExp(`^## ${name}$`, 'm'))
    equal(text.includes(hypothesis), true)
  }
  doesNotMatch(text, /undefined|NaN/)
})

test('every link of an explanation leads to something that is there', () => {
  const links = experiments.flatMap(({ explanation, improvement = '' }) =>
    [...(explanation + improvement).matchAll(/\]\(([^)#]+)\)/g)].map(([, path]) => path!),
  )
  deepEqual(
    links.filter((path) => !existsSync(join(root, 'docs/reports', path))),
    [],
  )
  notEqual(links.length, 0)
})

test('an experiment that has not been run is said to be that', () => {
  const text = markdown([{ experiment: experiments[0]!, result: undefined, before: undefined, cluster: undefined }])
  match(text, /not run yet/)
})

test('a chart has the fault and each panel of every kept result', () => {
  for (const result of results.filter(({ series }) => series.length > 0)) {
    const experiment = experiments.find(({ name }) => name === result.name)!
    const svg = chart(experiment, result)
    match(svg, />fault</)
    equal(svg.match(/stroke-width="1.5"/g)?.length, 5)
  }
})
