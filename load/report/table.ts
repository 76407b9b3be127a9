/** The results as Markdown tables, which are readable in a terminal too. */
import { short } from './numbers.ts'
import { valuesOf, type Measure, type Results } from './results.ts'
import { advantage, spread, type Spread } from './statistics.ts'

/** What a suite's tables hold. */
export interface Sheet {
  /** The contender that the others are compared with. */
  ours: string
  measures: Record<string, Measure>
  tables: {
    title: string
    rows: readonly string[]
    /** Everybody's figures, how many times better ours are than the others', or ours alone. */
    show: 'all' | 'ratios' | 'ours'
  }[]
}

/** Every table that the data has rows for, each with a line above it. */
export function tables(results: Results, { ours, measures, tables: wanted }: Sheet): string {
  const all = results.contenders.map(({ name }) => name)
  const columns = { all, ratios: all.filter((name) => name !== ours), ours: [ours] }
  const spreads = (name: string, measure: string) => spreadOf(results, name, measure)
  const ratios = (name: string, measure: string) =>
    advantage(valuesOf(results, ours, measure), valuesOf(results, name, measure), measures[measure]!.better)
  const parts = wanted.map(({ title, rows, show }) =>
    show === 'ratios'
      ? part(measures, title, columns[show], rows, ratios, (value) => `${short(value)}×`)
      : part(measures, title, columns[show], rows, spreads, short),
  )
  return parts.filter(Boolean).join('\n\n')
}

function spreadOf(results: Results, name: string, measure: string): Spread | undefined {
  const values = valuesOf(results, name, measure).filter((value) => value !== undefined)
  return values.length === 0 ? undefined : spread(values)
}

/** Measures down, contenders across. */
function part(
  measures: Sheet['measures'],
  title: string,
  names: string[],
  rows: readonly string[],
  cell: (name: string, measure: string) => Spread | undefined,
  format: (value: number) => string,
): string {
  const body = rows.flatMap((measure) => {
    const cells = names.map((name) => cell(name, measure))
    if (cells.every((value) => value === undefined)) return []
    const { title: row, unit } = measures[measure]!
    return [[`${row}${unit && `, ${unit}`}`, ...cells.map((value) => (value ? written(value, format) : ''))]]
  })
  return body.length === 0 ? '' : `${title}\n\n${markdown([['', ...names], ...body])}`
}

function written({ median, min, max }: Spread, format: (value: number) => string): string {
  return min === max ? format(median) : `${format(median)} (${format(min)} – ${format(max)})`
}

/** Rows as a Markdown table, the first of them its head. */
export function markdown(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)))
  const line = (cells: string[]) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(rows[0]!), line(rule), ...rows.slice(1).map(line)].join('\n')
}
