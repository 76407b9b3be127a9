import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { LoadResult } from './load.ts'

/** What became of a step. */
export interface Outcome {
  claim: string
  result: 'ok' | 'WRONG' | 'skipped'
  detail: string
  seconds: number
  load?: LoadResult
}

const folder = fileURLToPath(new URL('../../docs/reports/', import.meta.url))

/** Writes docs/reports/cluster.md and the picture in it. */
export function writeReport(outcomes: Outcome[], cluster: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}cluster.svg`, timeline(outcomes.filter(({ load }) => load !== undefined)))
  const rows = outcomes.map(
    ({ claim, result, detail, seconds }) =>
      `| ${result} | ${claim} | ${detail.replaceAll(/[|\n]/g, ' ')} | ${seconds.toFixed(0)} s |`,
  )
  const held = outcomes.filter(({ result }) => result === 'ok').length
  const text = `# The chart on a cluster

Written by \`npm run test:cluster\` on ${new Date().toISOString().slice(0, 10)}: ${cluster}. ${held} of ${outcomes.length} claims held.

| | claim | seen | took |
| --- | --- | --- | --- |
${rows.join('\n')}

![Requests per second under each step](cluster.svg)

Green are requests that were acknowledged, red those that failed (each was sent again until it was acknowledged), each
second of each step that ran under load.
`
  writeFileSync(`${folder}cluster.md`, text)
}

const width = 900
const rowHeight = 90

function timeline(outcomes: Outcome[]): string {
  const rows = outcomes.map((outcome, index) => row(outcome, 20 + index * rowHeight))
  const height = 20 + outcomes.length * rowHeight
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#fff"/>
${rows.join('\n')}
</svg>
`
}

function row({ claim, load }: Outcome, top: number): string {
  const { timeline: seconds } = load!
  const first = Math.min(...seconds.map(({ second }) => second))
  const last = Math.max(...seconds.map(({ second }) => second))
  const most = Math.max(...seconds.map(({ ok, failed }) => ok + failed))
  const step = (width - 40) / (last - first + 1)
  const bars = seconds.map(({ second, ok, failed }) => {
    const x = (20 + (second - first) * step).toFixed(1)
    const bar = (from: number, count: number, colour: string) => {
      const size = (count / most) * 50
      const y = top + 70 - (from / most) * 50 - size
      return count === 0
        ? ''
        : `<rect x="${x}" y="${y.toFixed(1)}" width="${Math.max(step * 0.9, 0.5).toFixed(2)}" height="${size.toFixed(1)}" fill="${colour}"/>`
    }
    return bar(0, ok, '#2e9e5b') + bar(ok, failed, '#d33')
  })
  return `<text x="20" y="${top + 12}">${claim.replaceAll('&', '&amp;').replaceAll('<', '&lt;')} (${last - first + 1} s, at most ${most}/s)</text>
${bars.join('')}`
}
