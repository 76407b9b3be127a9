/** docs/reports/load.md and its charts. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '@flowforge/local/config'
import { lineChart } from '../report/lines.ts'
import { short } from '../report/numbers.ts'
import { readHttpResults, type HttpResults } from './results.ts'
import { scenarios } from './scenarios.ts'

const reports = join(root, 'docs/reports')
type Run = HttpResults['runs'][number]

/** Writes the report from the last results. */
export function writeLoadReport(): void {
  const results = readHttpResults()
  if (!results) throw new Error('there are no results yet: npm run load -- http')
  mkdirSync(join(reports, 'load'), { recursive: true })
  for (const run of results.runs) writeFileSync(join(reports, 'load', `${run.name}.svg`), chart(run))
  writeFileSync(join(reports, 'load.md'), loadReport(results))
}

export function loadReport({ machine, runs }: HttpResults): string {
  const ordered = scenarios.flatMap((scenario) => {
    const run = runs.find(({ name }) => name === scenario.name)
    return run ? [{ scenario, run }] : []
  })
  return `# Load

The gateway under HTTP load, on one machine together with everything behind it and the load itself. Written by
\`npm run load -- http\` from \`load/results/http.json\`; do not edit.

Requests arrive at random moments with the given rate, whether earlier ones were answered or not (open loop), and latency
counts from the moment a request was due: a system that stalls is not spared the questions it would have been asked. A user
is a connection that stays open and carries one request at a time.

Machine: ${machine.cores} cores of ${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}.

| scenario | what | answered/s | errors | p50 ms | p90 | p95 | p99 | cores used | most waiting |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
${ordered.map(({ scenario, run }) => row(scenario.title, run)).join('\n')}

Target, on two cores: 1,000 requests a second with p95 below 200 ms and less than 0.1 % errors. ${target(ordered)}

${ordered.map(({ scenario, run }) => section(scenario.title, run)).join('\n')}`
}

function target(ordered: { scenario: (typeof scenarios)[number]; run: Run }[]): string {
  const judged = ordered.filter(({ scenario }) => scenario.p95MsMax !== undefined)
  if (judged.length === 0) return 'Not measured.'
  return judged
    .map(({ scenario, run }) => {
      const isMet = run.latencies.p95 < scenario.p95MsMax! && run.errorShare < 0.001 && run.perSecond >= 950
      return `${isMet ? 'Met' : '**Not met**'} in \`${run.name}\`: ${run.perSecond}/s, p95 ${short(run.latencies.p95)} ms, ${percent(run.errorShare)} errors.`
    })
    .join(' ')
}

function row(title: string, { name, perSecond, errorShare, latencies, usage, backlogMax }: Run): string {
  const { p50, p90, p95, p99 } = latencies
  const cores = usage.reduce((sum, one) => sum + one.cores, 0).toFixed(2)
  return `| [${name}](#${name}) | ${title} | ${perSecond} | ${percent(errorShare)} | ${[p50, p90, p95, p99].map(short).join(' | ')} | ${cores} | ${backlogMax} |`
}

function section(title: string, { name, usage, drainMs, time, commit }: Run): string {
  const drained =
    drainMs === undefined ? '' : ` Nothing waited ${(drainMs / 1_000).toFixed(1)} s after the last request.`
  return `## ${name}

${title}.${drained} ${time.slice(0, 16).replace('T', ' ')} UTC, commit ${commit}.

![${name}](load/${name}.svg)

| process | cores | memory, MiB |
| --- | --- | --- |
${usage.map((one) => `| ${one.name} | ${one.cores.toFixed(2)} | ${one.memoryMiB} |`).join('\n')}
`
}

function chart({ name, seconds, time }: Run): string {
  const line = (title: string, colour: string, y: (second: Run['seconds'][number]) => number | undefined) => ({
    name: title,
    colour,
    points: seconds.map((one) => ({ x: one.second, y: y(one) })),
  })
  return lineChart({
    title: scenarios.find((one) => one.name === name)?.title ?? name,
    subtitle: time.slice(0, 10),
    xTitle: 'seconds',
    panels: [
      {
        title: 'per second: ',
        lines: [
          line('due', '#94a3b8', ({ offered }) => offered),
          line('answered', '#0f766e', ({ answered }) => answered),
          line('errors', '#b91c1c', ({ errors }) => errors),
        ],
      },
      { title: 'tasks: ', lines: [line('waiting or running', '#475569', ({ backlog }) => backlog)] },
      { title: 'MiB: ', lines: [line('memory of all processes', '#7c3aed', ({ memoryMiB }) => memoryMiB)] },
    ],
  })
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`
}
