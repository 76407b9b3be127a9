/** The call graph as a picture: on the left who only calls, on the right who serves, one line for each edge. */
import { callGraph, type Edge } from '../graph.ts'
import type { Component, Policies } from '../policy/policy.ts'

const box = { width: 150, height: 88 }
const portGap = 27
const margin = { side: 40, top: 60, arc: 110 }
const columnWidth = 460
const rowHeight = 120

interface Point {
  x: number
  y: number
}

export function callGraphSvg(policies: Policies): string {
  const edges = callGraph(policies)
  const right = middleOut([...new Set(edges.map(({ to }) => to))], edges)
  const left = middleOut(
    [...new Set(edges.map(({ from }) => from))].filter((one) => !right.includes(one)),
    edges,
  )
  const height = margin.top + Math.max(left.length, right.length) * rowHeight
  const width = margin.side * 2 + columnWidth + box.width + margin.arc
  const at = new Map<Component, Point>()
  for (const [index, members] of [left, right].entries()) {
    const first = margin.top + (height - margin.top - members.length * rowHeight) / 2 + rowHeight / 2
    members.forEach((member, row) =>
      at.set(member, { x: margin.side + index * columnWidth, y: first + row * rowHeight }),
    )
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="14">`,
    '<title>Who calls whom in FlowForge</title>',
    '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M0 0 10 5 0 10z" fill="#57606a"/></marker></defs>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${margin.side}" y="36" font-size="18" font-weight="600" fill="#1f2328">Who calls whom: number of RPCs, × attempts at worst</text>`,
    ...edges.map((edge) => arrow(curve(edge, at, edges))),
    ...edges.map((edge) => label(edge, curve(edge, at, edges))),
    ...[...at].map(([component, point]) => node(component, point)),
    '</svg>',
    '',
  ].join('\n')
}

/** The busiest in the middle: fewer lines cross. */
function middleOut(members: Component[], edges: Edge[]): Component[] {
  const weight = (component: Component) => edges.filter(({ from, to }) => from === component || to === component).length
  const ordered = members.toSorted((a, b) => weight(b) - weight(a))
  return ordered.reduce<Component[]>((row, one, index) => (index % 2 === 0 ? [...row, one] : [one, ...row]), [])
}

/** A cubic Bézier curve from caller to callee: across, or around the right side within one column. */
type Curve = [start: Point, first: Point, second: Point, end: Point]

function curve(edge: Edge, at: Map<Component, Point>, edges: Edge[]): Curve {
  const from = at.get(edge.from)!
  const to = at.get(edge.to)!
  const isAcross = from.x < to.x
  const byHeight = (name: 'from' | 'to') => (a: Edge, b: Edge) => at.get(a[name])!.y - at.get(b[name])!.y
  const out = edges.filter((one) => one.from === edge.from).sort(byHeight('to'))
  const into = edges
    .filter((one) => one.to === edge.to && at.get(one.from)!.x < to.x === isAcross)
    .sort(byHeight('from'))
  const start = { x: from.x + box.width, y: from.y + port(out.indexOf(edge), out.length) }
  const end = { x: to.x + (isAcross ? -2 : box.width + 2), y: to.y + port(into.indexOf(edge), into.length) }
  const bend = isAcross ? (end.x - start.x) / 2 : margin.arc
  return [start, { x: start.x + bend, y: start.y }, { x: isAcross ? end.x - bend : end.x + bend, y: end.y }, end]
}

/** Where an edge leaves or enters a box, from its middle: each has a place of its own. */
function port(index: number, count: number): number {
  return (index - (count - 1) / 2) * portGap
}

function arrow(curve: Curve): string {
  const [start, first, second, end] = curve.map(({ x, y }) => `${x} ${y}`)
  return `<path d="M${start} C${first} ${second} ${end}" fill="none" stroke="#57606a" stroke-width="1.5" marker-end="url(#head)"/>`
}

function label(edge: Edge, [start]: Curve): string {
  const attempts = Math.max(...edge.methods.map(({ retry }) => retry?.attempts ?? 1))
  const text = `${edge.methods.length}${attempts > 1 ? ` × ${attempts}` : ''}`
  const width = text.length * 8 + 10
  const x = start.x + 12
  return (
    `<rect x="${x}" y="${start.y - 11}" width="${width}" height="22" rx="11" fill="#fff" stroke="#d0d7de"/>` +
    `<text x="${x + width / 2}" y="${start.y + 5}" text-anchor="middle" fill="#1f2328">${text}</text>`
  )
}

function node(component: Component, { x, y }: Point): string {
  return (
    `<rect x="${x}" y="${y - box.height / 2}" width="${box.width}" height="${box.height}" rx="8" fill="#ddf4ff" stroke="#0969da" stroke-width="1.5"/>` +
    `<text x="${x + box.width / 2}" y="${y + 5}" text-anchor="middle" font-weight="600" fill="#0a3069">${component}</text>`
  )
}
