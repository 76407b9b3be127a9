/** Lines over one axis as an SVG: panels below each other, each with a scale of its own. */
import { short } from './numbers.ts'
import { at, text } from './svg.ts'

export interface Line {
  name: string
  colour: string
  points: { x: number; y: number | undefined }[]
}

export interface Panel {
  title: string
  lines: Line[]
}

export interface Chart {
  title: string
  subtitle: string
  /** The axis that all panels share. */
  xTitle: string
  panels: Panel[]
  /** A stretch of the axis that is shaded, such as the time of a fault. */
  band?: { from: number; until: number; name: string }
}

const layout = { width: 820, left: 62, right: 20, top: 66, height: 92, gap: 34, bottom: 34 }

/** Draws all panels; a hole in a line is a moment without a value. */
export function lineChart({ title, subtitle, xTitle, panels, band }: Chart): string {
  const { width, left, right, top, height, gap, bottom } = layout
  const points = panels.flatMap(({ lines }) => lines.flatMap((line) => line.points))
  const xs = points.map(({ x }) => x)
  const [xMin, xMax] = [Math.min(...xs), Math.max(...xs, Math.min(...xs) + 1e-9)]
  const x = (value: number) => left + ((value - xMin) / (xMax - xMin)) * (width - left - right)
  const total = top + panels.length * (height + gap) + bottom - gap
  const end = total - bottom
  const parts = [text(20, 26, title, 'font-size="15" font-weight="600"'), text(20, 44, subtitle, 'fill="#667"')]
  if (band) {
    const from = x(Math.max(band.from, xMin))
    const span = Math.max(2, x(Math.min(band.until, xMax)) - from)
    parts.push(
      `<rect x="${at(from)}" y="${top}" width="${at(span)}" height="${end - top}" fill="#fdecd8"/>`,
      text(from + 3, top - 4, band.name, 'fill="#b45309" font-size="10"'),
    )
  }
  panels.forEach((one, index) => parts.push(panel(one, x, top + index * (height + gap))))
  for (const tick of ticks(xMin, xMax, 8))
    parts.push(
      text(x(tick), end + 14, short(tick).replace(/\.0+$/, ''), 'fill="#667" font-size="10" text-anchor="middle"'),
    )
  parts.push(text(width - right, end + 28, xTitle, 'fill="#667" font-size="10" text-anchor="end"'))
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${total}" viewBox="0 0 ${width} ${total}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="11" fill="#223">
<rect width="${width}" height="${total}" fill="#fff"/>
${parts.join('\n')}
</svg>
`
}

function panel({ title, lines }: Panel, x: (value: number) => number, top: number): string {
  const { left, right, width, height } = layout
  const values = lines.flatMap(({ points }) => points.flatMap(({ y }) => (y === undefined ? [] : [y])))
  const yMax = Math.max(1, ...values)
  const base = top + height
  const y = (value: number) => base - (Math.max(0, value) / yMax) * (height - 18)
  const grid = ticks(0, yMax, 3).map(
    (tick) =>
      `<path d="M${left} ${at(y(tick))}H${width - right}" stroke="#dde1e6"/>${text(left - 6, y(tick) + 4, short(tick).replace(/\.0+$/, ''), 'fill="#667" font-size="10" text-anchor="end"')}`,
  )
  let legendX = left + 4 + title.length * 6.6
  const drawn = lines.map((line) => {
    const legend = text(legendX, top + 8, line.name, `fill="${line.colour}" font-size="10" font-weight="600"`)
    legendX += 14 + line.name.length * 6.4
    return `${legend}<path d="${path(line, x, y)}" fill="none" stroke="${line.colour}" stroke-width="1.5"/>`
  })
  return [...grid, text(left, top + 8, title, 'font-size="11" font-weight="600"'), ...drawn].join('\n')
}

function path({ points }: Line, x: (value: number) => number, y: (value: number) => number): string {
  let isDrawing = false
  return points
    .map((point) => {
      if (point.y === undefined) {
        isDrawing = false
        return ''
      }
      const step = `${isDrawing ? 'L' : 'M'}${at(x(point.x))} ${at(y(point.y))}`
      isDrawing = true
      return step
    })
    .join('')
}

/** Round values between two, about so many. */
export function ticks(from: number, until: number, count: number): number[] {
  const rough = (until - from) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough)!
  const first = Math.ceil(from / step - 1e-9)
  return Array.from({ length: Math.floor(until / step + 1e-9) - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  )
}
