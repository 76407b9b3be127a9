/** What the chart's rules and dashboards ask for is what running processes tell. */
import { deepEqual, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parser } from '@prometheus-io/lezer-promql'
import { parse } from 'yaml'
import { until } from '@flowforge/runtime/testing/poll'
import { startTestSystem } from './testing/test-system.ts'

const adminPorts: number[] = []
const system = await startTestSystem({
  workers: 1,
  adapt: async (planned) => {
    adminPorts.push(planned.adminPort)
    return planned
  },
})

interface Rule {
  record?: string
  expr: string
  labels?: Record<string, string>
}

interface Selector {
  name: string
  labels: string[]
}

const compiled = (file: string) => fileURLToPath(new URL(`../../helm/flowforge/monitoring/${file}`, import.meta.url))
const rules = (parse(readFileSync(compiled('rules.yaml'), 'utf8')) as { rules: Rule[] }[]).flatMap(
  (group) => group.rules,
)
const recorded = new Set(rules.flatMap(({ record }) => record ?? []))
const queries = ['promises.json', 'work.json'].flatMap((file) => {
  const { panels } = JSON.parse(readFileSync(compiled(file), 'utf8')) as { panels: { targets?: { expr: string }[] }[] }
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '1m')))
})

/** The series that an expression asks for, with the labels that it asks for or sums by. */
function selectors(expr: string): Selector[] {
  const found: Selector[] = []
  parser.parse(expr).iterate({
    enter(node) {
      const text = expr.slice(node.from, node.to)
      if (node.name === 'VectorSelector') found.push({ name: text.split('{')[0]!, labels: [] })
      if (node.name === 'LabelName' && node.node.parent?.name !== 'GroupingLabels') found.at(-1)?.labels.push(text)
    },
  })
  return found
}

/** Families and, of those with series, their labels. */
async function exported(): Promise<Map<string, Set<string>>> {
  const families = new Map<string, Set<string>>()
  for (const port of adminPorts) {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    for (const [, name] of text.matchAll(/^# TYPE (\S+)/gm)) families.set(name!, families.get(name!) ?? new Set())
    for (const [, series, labels = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? /gm))
      for (const [, label] of labels.matchAll(/(\w+)="/g)) families.get(familyOf(series!))?.add(label!)
  }
  return families
}

function familyOf(series: string): string {
  return series.replace(/_(bucket|count|sum)$/, '')
}

test('no rule and no panel asks for a metric or a label that does not exist', async () => {
  const { name } = await system.client.createTask({ type: 'echo' })
  for await (const { state } of system.client.watchTask(name)) if (state === 'TASK_STATE_SUCCEEDED') break
  // Counted when the attempt's end is acknowledged, a moment after the watcher knows.
  await until(async () => (await exported()).get('task_attempts_total')!.has('outcome'))
  const families = await exported()
  const asked = [...rules.map(({ expr }) => expr), ...queries].flatMap(selectors)
  ok(asked.length > 100)
  const unknown = asked.filter(({ name: series }) => !recorded.has(series) && !families.has(familyOf(series)))
  deepEqual(unknown, [])
  // Prometheus adds the first two when it scrapes.
  const wrong = asked.filter(({ name: series, labels }) => {
    const own = families.get(familyOf(series))
    return own?.size && labels.some((label) => label !== 'namespace' && label !== 'pod' && !own.has(label))
  })
  deepEqual(wrong, [])
  for (const needed of ['grpc_server_handled_total', 'queue_depth', 'task_attempts_total', 'http_requests_total'])
    ok(families.get(needed)!.size > 0, `${needed} has series`)
})

test('every time that is promised is a bucket of the histogram', async () => {
  const text = await (await fetch(`http://127.0.0.1:${adminPorts[0]}/metrics`)).text()
  const buckets = new Set([...text.matchAll(/handling_seconds_bucket\{le="([^"]+)"/g)].map(([, le]) => le))
  const slow = rules.filter(({ record }) => record === 'flowforge:rpc_slow:ratio_rate5m')
  for (const { labels } of slow) ok(buckets.has(labels!['within']!.replace(/s$/, '')), labels!['within'])
})
