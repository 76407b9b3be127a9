/** `npm run load -- scaling`: what one to five instances of tasks and of the gateway can do. */
import { commit, machine } from '../facts.ts'
import { namesOf, numberOf, suiteOptions } from '../suite-options.ts'
import { ScaledInstallation } from './kubernetes.ts'
import { measurePoint, type Scaled, type ScalingPoint } from './measure.ts'
import { noQuota } from './quota.ts'
import { writeScalingReport } from './report.ts'
import { readScalingResults, type ScalingResults, writeScalingResults } from './results.ts'

const usage = `Usage: npm run load -- scaling [options]

  --kubernetes   replicas on the cluster of the current kube context (needs kubectl, helm and the image there)
  --only NAME    gateway or tasks (both)
  --share N      of one core for each instance, in percent (10); 0 gives each as much as there is
  --seconds N    of each measurement (8)
  --keep         leave load/results and docs/reports as they are
  --help         this text

Off a cluster a share needs root on Linux; without it every instance takes what it gets.
`

export async function runScaling(args: string[]): Promise<void> {
  const options = readOptions(args)
  const measured = options.kubernetes ? await onCluster(options) : await here(options)
  if (options.keep) return
  const known = readScalingResults()
  if (!known && options.kubernetes) throw new Error('first measure without --kubernetes: the report begins with that')
  writeScalingReport(writeScalingResults({ ...known, ...measured } as ScalingResults))
}

type Options = ReturnType<typeof readOptions>

async function here({ components, shareOfCore, seconds }: Options) {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort())
  const points = await measureEach(components, (component, instances) =>
    measurePoint({ component, instances, shareOfCore, seconds, signal: interrupted.signal }),
  )
  const kept = readScalingResults()?.points.filter(({ component }) => !components.includes(component)) ?? []
  const [time, machineNow] = [new Date().toISOString(), machine()]
  return { time, commit: await commit(), machine: machineNow, shareOfCore, points: [...kept, ...points] }
}

async function onCluster({ components, shareOfCore = 0.1, seconds }: Options) {
  const installation = new ScaledInstallation()
  await installation.install()
  try {
    const points = await measureEach(components, (component, replicas) =>
      installation.measure(component, replicas, shareOfCore, seconds),
    )
    const [time, cluster] = [new Date().toISOString(), await installation.cluster()]
    return { kubernetes: { time, commit: await commit(), cluster, shareOfCore, points } }
  } finally {
    await installation.remove()
  }
}

async function measureEach(
  components: Scaled[],
  measure: (component: Scaled, instances: number) => Promise<ScalingPoint>,
): Promise<ScalingPoint[]> {
  const points: ScalingPoint[] = []
  for (const component of components)
    for (let instances = 1; instances <= 5; instances++) {
      const point = await measure(component, instances)
      points.push(point)
      process.stdout.write(
        `${component} ×${instances}: ${point.perSecond}/s, p50 ${point.p50Ms} p95 ${point.p95Ms} ms, served ${point.served.join(' + ')}, ${point.errors} errors\n`,
      )
    }
  return points
}

function readOptions(args: string[]) {
  return suiteOptions(
    usage,
    args,
    {
      kubernetes: { type: 'boolean', default: false },
      only: { type: 'string' },
      share: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '8' },
      keep: { type: 'boolean', default: false },
    },
    (values) => {
      const components = namesOf<Scaled>('only', values.only, ['gateway', 'tasks'])
      const share = numberOf('share', values.share, 0, 100)
      const seconds = numberOf('seconds', values.seconds, 1, 600)
      const { kubernetes, keep } = values
      const why = share > 0 && !kubernetes ? noQuota() : undefined
      if (why) process.stderr.write(`without shares: ${why}\n`)
      return { components, shareOfCore: share > 0 && !why ? share / 100 : undefined, seconds, kubernetes, keep }
    },
  )
}
