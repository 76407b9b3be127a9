import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { test } from 'node:test'
import type { MeasureName } from './measures.ts'
import type { Results } from './results.ts'
import { chart, logScale } from '../report/chart.ts'
import { short } from '../report/numbers.ts'
import { tables } from '../report/table.ts'
import { readme } from './readme.ts'
import { drawing, sheet } from './sheet.ts'

function results(values: Record<string, Partial<Record<MeasureName, number[]>>>): Results {
  return {
    time: '2030-01-02T03:04:05.000Z',
    commit: 'abc',
    scale: 'small',
    rounds: 2,
    seconds: 120,
    machine: { cpu: 'A & B', cores: 2, memoryGiB: 4, system: 'Linux 6' },
    versions: { PostgreSQL: '18.1' },
    postgresSettings: { fsync: 'on' },
    contenders: Object.keys(values).map((name) => ({ name, settings: 'defaults' })),
    skipped: [{ contender: 'river', why: 'Go is not installed' }],
    failures: [],
    samples: Object.entries(values).flatMap(([contender, measured]) =>
      Object.entries(measured).flatMap(([measure, rounds]) =>
        rounds.map((value, round) => ({ round, contender, measure: measure as MeasureName, value })),
      ),
    ),
  }
}

const example = results({
  flowforge: { drain: [40_000, 60_000], latencyP50: [2, 2] },
  graphile: { drain: [10_000, 20_000], latencyP50: [4, 4] },
})

test('numbers keep three digits', () => {
  deepEqual([0.5, 9.87, 12.345, 123.4, 1_234, 9_994, 12_345, 123_456].map(short), [
    '0.50',
    '9.87',
    '12.3',
    '123',
    '1230',
    '9990',
    '12.3 k',
    '123 k',
  ])
})

test('a table shows medians with their spread, and how many times better we are, round by round', () => {
  const text = tables(example, sheet)
  match(text, /\| drain, tasks\/s +\| 50\.0 k \(40\.0 k – 60\.0 k\) \| 15\.0 k \(10\.0 k – 20\.0 k\) \|/)
  match(text, /\| drain, tasks\/s +\| 3\.50× \(3\.00× – 4\.00×\) \|/)
  match(text, /p50, ms +\| +2\.00×/)
})

test('measures that nobody has are not in the tables', () => {
  ok(!tables(example, sheet).includes('bulk'))
})

test('the README names what was left out, the versions and the settings', () => {
  const text = readme(example, [])
  match(text, /river was left out: Go is not installed/)
  match(text, /PostgreSQL 18\.1/)
  match(text, /fsync = on/)
})

test('on a logarithmic scale ten times more is always the same distance', () => {
  const { x, ticks } = logScale([{ min: 20, median: 100, max: 10_000 }])
  deepEqual(ticks, [10, 100, 1_000, 10_000])
  equal(Math.round(x(100) - x(10)), Math.round(x(10_000) - x(1_000)))
  // What is below the scale is drawn at its beginning.
  equal(x(1), x(10))
})

test('the chart has a bar for each contender and measure that was measured, and is well-formed', () => {
  const svg = chart(example, drawing(example))
  equal(svg.match(/<title>/g)?.length, 4)
  match(svg, /<title>flowforge: 50\.0 k \(40\.0 k – 60\.0 k\)<\/title>/)
  const opened = svg.match(/<(svg|g|text|title)[ >]/g)?.length
  equal(svg.match(/<\/(svg|g|text|title)>/g)?.length, opened)
})
