/** The results as an SVG: grouped horizontal bars on logarithmic scales, thin lines from the lowest to the highest round. */
import { at, text } from './svg.ts'
import { short } from './numbers.ts'
import { valuesOf, type Measure, type Results } from './results.ts'
import { spread, type Spread } from './statistics.ts'

/** What a suite's chart shows. */
export interface Drawing {
  title: string
  /** The line below the title. */
  note: string
  measures: Record<string, Measure>
  panels: { title: string; measures: readonly string[] }[]
  /** By contender. */
  colours: Record<string, string>
  /** Stands out. */
  ours: string
}

const otherColour = '#888'
const layout = { width: 960, left: 250, right: 90, bar: 13, gap: 18, top: 96 }

/** Draws all speeds that the results have. */
export function chart(results: Results, drawing: Drawing): string {
  const names = results.contenders.map(({ name }) => name)
  const parts: string[] = []
  let y = layout.top
  for (const { title, measures } of drawing.panels) {
    const drawn = panel(results, drawing, names, measures, title, y)
    if (!drawn) continue
    parts.push(drawn.svg)
    y = drawn.end + 30
  }
  const { width } = layout
  const head = [
    text(20, 30, drawing.title, 'font-size="18" font-weight="600"'),
    text(20, 50, drawing.note, 'fill="#667"'),
    legend(names, drawing.colours),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="11" fill="#223">
<rect width="${width}" height="${y}" fill="#fff"/>
${[...head, ...parts].join('\n')}
</svg>
`
}

function legend(names: string[], colours: Drawing['colours']): string {
  let x = 20
  return names
    .map((name) => {
      const entry = `<rect x="${x}" y="64" width="10" height="10" fill="${colours[name] ?? otherColour}"/>${text(x + 14, 73, name, 'font-size="10.5"')}`
      x += 26 + name.length * 6.4
      return entry
    })
    .join('')
}

function panel(
  results: Results,
  drawing: Drawing,
  names: string[],
  group: readonly string[],
  title: string,
  top: number,
) {
  const bars = group.map((measure) => ({
    measure,
    rows: names.flatMap((name) => {
      const values = valuesOf(results, name, measure).filter((value) => value !== undefined)
      return values.length === 0 ? [] : [{ name, value: spread(values) }]
    }),
  }))
  const shown = bars.filter(({ rows }) => rows.length > 0)
  if (shown.length === 0) return undefined
  const scale = logScale(shown.flatMap(({ rows }) => rows.map(({ value }) => value)))
  const svg: string[] = [text(20, top + 14, title, 'font-size="12" font-weight="600"')]
  let y = top + 30
  const start = y
  for (const { measure, rows } of shown) {
    svg.push(text(20, y + (rows.length * layout.bar) / 2 + 4, drawing.measures[measure]!.title))
    for (const { name, value } of rows) {
      svg.push(bar(scale, drawing, name, value, y))
      y += layout.bar
    }
    y += layout.gap
  }
  return { svg: [grid(scale, start - 6, y - layout.gap + 4), ...svg].join('\n'), end: y }
}

interface Scale {
  x(value: number): number
  ticks: number[]
}

/** From the power of ten below the smallest value to the largest value. */
export function logScale(values: Spread[]): Scale {
  const positive = values.flatMap(({ min, max }) => [min, max]).filter((value) => value > 0)
  const low = Math.floor(Math.log10(Math.min(...positive)) - 1e-9)
  const high = Math.max(low + 1, Math.log10(Math.max(...positive)))
  const { left, right, width } = layout
  const x = (value: number) =>
    left + ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * (width - left - right)
  const ticks = Array.from({ length: Math.floor(high) - low + 1 }, (_, i) => 10 ** (low + i))
  return { x, ticks }
}

function grid({ x, ticks }: Scale, top: number, bottom: number): string {
  return ticks
    .map(
      (tick) =>
        `<path d="M${at(x(tick))} ${top}V${bottom}" stroke="#dde1e6"/>${text(x(tick), bottom + 11, short(tick).replace('.00', '').replace('.0', ''), 'fill="#667" font-size="9.5" text-anchor="middle"')}`,
    )
    .join('')
}

function bar({ x }: Scale, { colours, ours }: Drawing, name: string, { min, median, max }: Spread, y: number): string {
  const height = layout.bar - 3
  const middle = y + height / 2
  const width = Math.max(1, x(median) - layout.left)
  const range = min === max ? '' : `<path d="M${at(x(min))} ${middle}H${at(x(max))}" stroke="#223"/>`
  const label = text(x(max) + 5, middle + 4, short(median), name === ours ? 'font-weight="600"' : '')
  return `<g><title>${name}: ${short(median)} (${short(min)} – ${short(max)})</title><rect x="${layout.left}" y="${y}" width="${at(width)}" height="${height}" fill="${colours[name] ?? otherColour}"/>${range}${label}</g>`
}
