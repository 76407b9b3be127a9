/** `npm run load -- scaling`: what one to five instances of tasks and of the gateway can do. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root } from '@flowforge/local/config'
import { commit, machine } from '../facts.ts'
import { measurePoint, type Scaled, type ScalingPoint } from './measure.ts'
import { noQuota } from './quota.ts'
import { writeScalingReport } from './report.ts'
import type { ScalingResults } from './results.ts'

const usage = `Usage: npm run load -- scaling [options]

  --only NAME    gateway or tasks (both)
  --share N      of one core for each instance, in percent (10); 0 gives each as much as there is
  --seconds N    of each measurement (8)
  --keep         leave load/results and docs/reports as they are
  --help         this text

A share needs root on Linux; without it every instance takes what it gets.
`

export async function runScaling(args: string[]): Promise<void> {
  const { components, shareOfCore, seconds, keep } = readOptions(args)
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort())
  const points: ScalingPoint[] = []
  for (const component of components)
    for (let instances = 1; instances <= 5; instances++) {
      const point = await measurePoint({ component, instances, shareOfCore, seconds, signal: interrupted.signal })
      points.push(point)
      process.stdout.write(
        `${component} ×${instances}: ${point.perSecond}/s, p50 ${point.p50Ms} p95 ${point.p95Ms} ms, served ${point.served.join(' + ')}, ${point.errors} errors\n`,
      )
    }
  if (keep) return
  const file = join(root, 'load/results/scaling.json')
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as ScalingResults).points : []
  const results: ScalingResults = {
    time: new Date().toISOString(),
    commit: await commit(),
    machine: machine(),
    shareOfCore,
    points: [...kept.filter(({ component }) => !components.includes(component)), ...points],
  }
  writeFileSync(file, `${JSON.stringify(results)}\n`)
  writeScalingReport(results)
}

function readOptions(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        only: { type: 'string' },
        share: { type: 'string', default: '10' },
        seconds: { type: 'string', default: '8' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      process.stdout.write(usage)
      process.exit(0)
    }
    const all: Scaled[] = ['gateway', 'tasks']
    const components = all.filter((name) => values.only === undefined || values.only === name)
    if (components.length === 0) throw new Error('--only must be gateway or tasks')
    const [share, seconds] = [Number(values.share), Number(values.seconds)]
    if (!(share >= 0 && share <= 100)) throw new Error('--share must be from 0 to 100')
    if (!(seconds >= 1 && seconds <= 600)) throw new Error('--seconds must be from 1 to 600')
    const why = share > 0 ? noQuota() : undefined
    if (why) process.stderr.write(`without shares: ${why}\n`)
    return { components, shareOfCore: share > 0 && !why ? share / 100 : undefined, seconds, keep: values.keep }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`)
    return process.exit(2)
  }
}
