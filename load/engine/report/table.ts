/** The results as Markdown tables, which are readable in a terminal too. */
import { measures, type MeasureName } from '../measures.ts'
import { valuesOf, type Results } from '../results.ts'
import { advantage, spread, type Spread } from '../statistics.ts'
import { short } from './numbers.ts'

const ours = 'flowforge'
const speeds: MeasureName[] = ['enqueue10', 'enqueue100', 'bulk', 'drain', 'steady', 'latencyP50', 'latencyP99']
const costs: MeasureName[] = [
  'enqueue10CpuUs',
  'bulkCpuUs',
  'drainCpuUs',
  'steadyCpuUs',
  'steadyLogBytes',
  'steadyCommits',
  'drainLogBytes',
  'drainCommits',
  'idleStatements',
]
const own: MeasureName[] = ['keysNone', 'keysFairness', 'keysConcurrency', 'rerunAfterKillMs']

/** Every table that the data has rows for, each with a line above it. */
export function tables(results: Results): string {
  const peers = results.contenders.map(({ name }) => name).filter((name) => name !== ours)
  const all = results.contenders.map(({ name }) => name)
  const spreads = (name: string, measure: MeasureName) => spreadOf(results, name, measure)
  const ratios = (name: string, measure: MeasureName) =>
    advantage(valuesOf(results, ours, measure), valuesOf(results, name, measure), measures[measure].better)
  const parts = [
    part('Speed: median of the rounds (lowest to highest)', all, speeds, spreads, short),
    part(
      'How many times better FlowForge is, compared round by round',
      peers,
      speeds,
      ratios,
      (value) => `${short(value)}×`,
    ),
    part('Cost', all, costs, spreads, short),
    part('FlowForge alone', [ours], own, spreads, short),
  ]
  return parts.filter(Boolean).join('\n\n')
}

function spreadOf(results: Results, name: string, measure: MeasureName): Spread | undefined {
  const values = valuesOf(results, name, measure).filter((value) => value !== undefined)
  return values.length === 0 ? undefined : spread(values)
}

/** Measures down, contenders across. */
function part(
  title: string,
  names: string[],
  rows: MeasureName[],
  cell: (name: string, measure: MeasureName) => Spread | undefined,
  format: (value: number) => string,
): string {
  const body = rows.flatMap((measure) => {
    const cells = names.map((name) => cell(name, measure))
    if (cells.every((value) => value === undefined)) return []
    const { title: row, unit } = measures[measure]
    return [[`${row}${unit && `, ${unit}`}`, ...cells.map((value) => (value ? written(value, format) : ''))]]
  })
  return body.length === 0 ? '' : `${title}\n\n${markdown([['', ...names], ...body])}`
}

function written({ median, min, max }: Spread, format: (value: number) => string): string {
  return min === max ? format(median) : `${format(median)} (${format(min)} – ${format(max)})`
}

function markdown(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)))
  const line = (cells: string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(rows[0]!), line(rule), ...rows.slice(1).map(line)].join('\n')
}
