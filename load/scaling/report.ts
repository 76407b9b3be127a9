/** docs/reports/scaling.md and its chart. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '@flowforge/local/config'
import { lineChart } from '../report/lines.ts'
import type { Scaled, ScalingPoint } from './measure.ts'
import type { ScalingResults } from './results.ts'

type Measured = Pick<ScalingResults, 'time' | 'points'>

const reports = join(root, 'docs/reports')

export function writeScalingReport(results: ScalingResults): void {
  mkdirSync(join(reports, 'scaling'), { recursive: true })
  for (const component of ['gateway', 'tasks'] as const)
    for (const [place, measured] of places(results))
      writeFileSync(join(reports, `scaling/${place}${component}.svg`), chart(component, measured))
  writeFileSync(join(reports, 'scaling.md'), scalingReport(results))
}

export function scalingReport(results: ScalingResults): string {
  const { machine, shareOfCore, time, commit } = results
  const share = shareOfCore === undefined ? 'as much as it gets' : `${shareOfCore * 100} % of one core`
  return `# Scaling

What one to five instances can do. Written by \`npm run load -- scaling\` from \`load/results/scaling.json\`; do not edit.

${machine.cores} cores hold everything: the instances, PostgreSQL, the other services and the load. Without limits a second
instance would only take from the first what it gains, so each instance of the component in question gets ${share}, as if it
had a small machine of its own, and the rest gets what is left. Sixty callers create tasks, each as soon as it was answered.
${time.slice(0, 16).replace('T', ' ')} UTC, commit ${commit}; ${machine.cpu}, ${machine.system}.

${(['gateway', 'tasks'] as const).map((component) => section(component, '', results.points)).join('\n')}
${onCluster(results.kubernetes)}## How load is spread

The gateway takes turns over all addresses of a service with each call, not with each connection
(\`ipv4:host:port,host:port\` or \`dns:///name\` as its address; in a mesh the proxy does it, by latency). Whoever balances
connections sends every call of a long HTTP/2 connection to one instance, and a new instance gets nothing. Worker streams do
live long: they have a bounded age, so that they spread over new instances by themselves.

## Where state is

Nowhere but in PostgreSQL. What a gateway keeps (API keys for 5 s, cached answers, rate limits unless Redis holds them) may be
lost at any time; what a tasks instance keeps (who waits on which stream) is opened anew by workers within seconds. So any
instance may be killed, as [the experiments](chaos.md) do, and any number may be added.
`
}

/** What was measured where: here, and on a cluster. */
function places({ time, points, kubernetes }: ScalingResults): [prefix: string, Measured][] {
  return [['', { time, points }], ...(kubernetes ? [['kubernetes-', kubernetes] as [string, Measured]] : [])]
}

function onCluster(kubernetes: ScalingResults['kubernetes']): string {
  if (!kubernetes) return ''
  const { time, commit, cluster, shareOfCore, points } = kubernetes
  return `## Replicas on Kubernetes

\`npm run load -- scaling --kubernetes\` sets the replicas of the installed chart, with a limit of ${Math.round(shareOfCore * 1000)}m for each pod of
the component in question and one replica of the other, and calls from a pod beside them. ${cluster};
${time.slice(0, 16).replace('T', ' ')} UTC, commit ${commit}.

${(['gateway', 'tasks'] as const).map((component) => section(component, 'kubernetes-', points)).join('\n')}
`
}

function section(component: Scaled, prefix: string, points: ScalingPoint[]): string {
  const own = points.filter((point) => point.component === component)
  const title = prefix === '' ? `## ${component}` : `### ${component}`
  if (own.length === 0) return `${title}\n\nNot measured.\n`
  const one = own.find(({ instances }) => instances === 1)
  const row = (point: ScalingPoint) =>
    `| ${point.instances} | ${point.perSecond} | ${one ? (point.perSecond / one.perSecond).toFixed(2) : ''} | ${point.p50Ms} | ${point.p95Ms} | ${point.errors} | ${point.served.join(', ')} | ${evenness(point)} |`
  return `${title}

![${component}](scaling/${prefix}${component}.svg)

| instances | created/s | of one | p50 ms | p95 ms | errors | served by each | most to least |
| --- | --- | --- | --- | --- | --- | --- | --- |
${own.map(row).join('\n')}
`
}

function evenness({ served }: ScalingPoint): string {
  const least = Math.min(...served)
  return least === 0 ? '–' : (Math.max(...served) / least).toFixed(2)
}

function chart(component: Scaled, { points, time }: Measured): string {
  const own = points.filter((point) => point.component === component)
  const line = (name: string, colour: string, y: (point: ScalingPoint) => number) => ({
    name,
    colour,
    points: own.map((point) => ({ x: point.instances, y: y(point) })),
  })
  const one = own.find(({ instances }) => instances === 1)?.perSecond ?? 0
  return lineChart({
    title: `Instances of ${component}`,
    subtitle: time.slice(0, 10),
    xTitle: 'instances',
    panels: [
      {
        title: 'created per second: ',
        lines: [
          line('measured', '#0f766e', ({ perSecond }) => perSecond),
          line('as many times as one', '#cbd5e1', ({ instances }) => one * instances),
        ],
      },
      {
        title: 'ms: ',
        lines: [line('p50', '#f59e0b', ({ p50Ms }) => p50Ms), line('p95', '#d9480f', ({ p95Ms }) => p95Ms)],
      },
    ],
  })
}
