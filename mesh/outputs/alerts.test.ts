import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'node:test'
import { parser } from '@prometheus-io/lezer-promql'
import { loadPolicies } from '../policy/read-policies.ts'
import { ruleGroups } from './alerts.ts'
import { promises, work } from './grafana/dashboards.ts'
import { grafana } from './grafana/panel.ts'
import { objectives } from './objectives.ts'

const rules = ruleGroups(loadPolicies()).flatMap((group) => group.rules)
const panels = [promises, work].flatMap(({ rows }) => rows).flatMap((row) => row.panels)
const queries = panels.flatMap((panel) => panel.queries.map(({ expr }) => expr.replaceAll('$__rate_interval', '1m')))

/** Where Prometheus' own grammar finds something that it does not know. */
function mistakes(expr: string): number[] {
  const found: number[] = []
  parser.parse(expr).iterate({ enter: (node) => void (node.type.isError && found.push(node.from)) })
  return found
}

test('every expression is PromQL', () => {
  for (const expr of [...rules.map((rule) => rule.expr), ...queries]) deepEqual(mistakes(expr), [], expr)
  deepEqual(mistakes('sum(rate(x[5m])'), [15])
})

test('every RPC has its promise recorded, and the time of every unary one is measured', () => {
  const all = objectives(loadPolicies())
  const recorded = (name: string) => rules.filter(({ record }) => record === `flowforge:rpc_objective:${name}`)
  equal(recorded('availability').length, all.length)
  const unary = all.filter(({ isStream }) => !isStream)
  equal(recorded('latency').length, unary.length)
  const slow = rules.filter(({ record }) => record === 'flowforge:rpc_slow:ratio_rate5m')
  for (const { service, method } of unary) {
    const measuring = slow.filter(({ expr }) => {
      const pattern = /method=~"(.*?)"/.exec(expr)![1]!.replaceAll('\\\\', '\\')
      return new RegExp(`^(${pattern})$`).test(`${service}/${method}`)
    })
    equal(measuring.length, 1, method)
  }
})

test('a promise is watched over an hour, six and three days', () => {
  const alerts = rules.filter(({ alert }) => alert === 'FlowForgeCallsFail')
  deepEqual(
    alerts.map(({ labels }) => `${labels!['window']} ${labels!['severity']}`),
    ['1h page', '6h page', '3d ticket'],
  )
  for (const [index, factor] of [14.4, 6, 1].entries()) ok(alerts[index]!.expr.includes(`) ${factor} * (1 - `))
})

test('no panel lies over another', () => {
  for (const dashboard of [promises, work]) {
    const { panels: placed } = grafana(dashboard) as { panels: { gridPos: Record<'x' | 'y' | 'w' | 'h', number> }[] }
    const taken = new Set<string>()
    for (const { gridPos } of placed)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          ok(x < 24 && !taken.has(`${x} ${y}`))
          taken.add(`${x} ${y}`)
        }
  }
})
