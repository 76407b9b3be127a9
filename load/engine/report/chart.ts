/** The results as an SVG: grouped horizontal bars on logarithmic scales, thin lines from the lowest to the highest round. */
import { measures, type MeasureName } from '../measures.ts'
import { valuesOf, type Results } from '../results.ts'
import { spread, type Spread } from '../statistics.ts'
import { at, text } from '../../charts/svg.ts'
import { short } from './numbers.ts'

const rates: MeasureName[] = ['enqueue10', 'enqueue100', 'bulk', 'drain', 'steady']
const waits: MeasureName[] = ['latencyP50', 'latencyP99']
// FlowForge stands out; a peer and its tuned setting share a hue.
const colours: Record<string, string> = {
  flowforge: '#d9480f',
  graphile: '#a5b4fc',
  'graphile-local-queue': '#4f46e5',
  'pg-boss': '#a7d8c8',
  'pg-boss-batch': '#0f766e',
  bullmq: '#f3c969',
  'bullmq-always': '#b7791f',
  river: '#b8c4d0',
  'river-tuned': '#475569',
}

const layout = { width: 960, left: 250, right: 90, bar: 13, gap: 18, top: 96 }

/** Draws all speeds that the results have. */
export function chart(results: Results): string {
  const names = results.contenders.map(({ name }) => name)
  const parts: string[] = []
  let y = layout.top
  for (const [title, group] of [
    ['tasks a second, more is better', rates],
    ['milliseconds, less is better', waits],
  ] as const) {
    const drawn = panel(results, names, group, title, y)
    if (!drawn) continue
    parts.push(drawn.svg)
    y = drawn.end + 30
  }
  const { width } = layout
  const head = [
    text(20, 30, 'FlowForge and other task queues', 'font-size="18" font-weight="600"'),
    text(
      20,
      50,
      `${results.machine.cores} cores, ${results.rounds} interleaved ${results.rounds === 1 ? 'round' : 'rounds: median, and lowest to highest'}; tasks durable (bullmq's within a second); ${results.time.slice(0, 10)}`,
      'fill="#667"',
    ),
    legend(names),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="11" fill="#223">
<rect width="${width}" height="${y}" fill="#fff"/>
${[...head, ...parts].join('\n')}
</svg>
`
}

function legend(names: string[]): string {
  let x = 20
  return names
    .map((name) => {
      const entry = `<rect x="${x}" y="64" width="10" height="10" fill="${colourOf(name)}"/>${text(x + 14, 73, name, 'font-size="10.5"')}`
      x += 26 + name.length * 6.4
      return entry
    })
    .join('')
}

function panel(results: Results, names: string[], group: readonly MeasureName[], title: string, top: number) {
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
    svg.push(text(20, y + (rows.length * layout.bar) / 2 + 4, measures[measure].title))
    for (const { name, value } of rows) {
      svg.push(bar(scale, name, value, y))
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

function bar({ x }: Scale, name: string, { min, median, max }: Spread, y: number): string {
  const height = layout.bar - 3
  const middle = y + height / 2
  const width = Math.max(1, x(median) - layout.left)
  const range = min === max ? '' : `<path d="M${at(x(min))} ${middle}H${at(x(max))}" stroke="#223"/>`
  const label = text(x(max) + 5, middle + 4, short(median), name === 'flowforge' ? 'font-weight="600"' : '')
  return `<g><title>${name}: ${short(median)} (${short(min)} – ${short(max)})</title><rect x="${layout.left}" y="${y}" width="${at(width)}" height="${height}" fill="${colourOf(name)}"/>${range}${label}</g>`
}

function colourOf(name: string): string {
  return colours[name] ?? '#888'
}
