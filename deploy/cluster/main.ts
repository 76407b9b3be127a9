/** `npm run test:cluster`: installs the chart on the cluster of the current kube context and tries what has to hold there. */
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { isPresent, run } from './command.ts'
import { valuesForDemo } from './demo.ts'
import { Installation } from './installation.ts'
import { writeReport, type Outcome } from './report.ts'
import { Skipped, steps } from './steps.ts'

const usage = `Usage: npm run test:cluster [-- options]

Needs kubectl and helm, a current kube context, and the image in reach of its nodes.

  --image NAME:TAG   the image (docker.io/flowforge/flowforge:0.1.0)
  --older TAG        the same image, of a version from before the last migration; not tried without
  --outside COMMAND  runs another command where nodes and Services can be reached, for the demo
  --namespace NAME   made and removed again (flowforge-test)
  --only TEXT        only steps whose claim has this text, and the first and the last; can be repeated
  --keep             leaves the namespace as it is at the end
`
const options = readOptions()
await checkPrerequisites()

const [repository, tag] = options.image.split(/:(?=[^/]+$)/) as [string, string]
const [registry, ...path] = repository.split('/')
const installation = new Installation(options.namespace, [
  `image.registry=${registry}`,
  `image.repository=${path.join('/')}`,
  `image.tag=${tag}`,
  'gateway.autoscaling.scaleDownSeconds=15',
  'gateway.autoscaling.maxReplicas=5',
  // So that one pod can be the load of three.
  'gateway.autoscaling.cpuPercent=30',
  ...(options.outside === undefined ? [] : await valuesForDemo()),
])
const all = steps(installation, { image: options.image, tag, olderTag: options.older, outside: options.outside })
const isPart = options.only.length > 0
const chosen = all.filter(
  ({ claim }, index) =>
    !isPart || index === 0 || index === all.length - 1 || options.only.some((text) => claim.includes(text)),
)
const outcomes: Outcome[] = []
const startedAt = performance.now()
for (const { claim, run: attempt } of chosen) {
  if (options.keep && claim === all.at(-1)!.claim) break
  process.stdout.write(`[${elapsed()}] ${claim} …\n`)
  const stepStartedAt = performance.now()
  const outcome = await attempt().then(
    (finding) => ({ result: 'ok' as const, ...finding }),
    (error: Error) => ({
      result: error instanceof Skipped ? ('skipped' as const) : ('WRONG' as const),
      detail: error.message,
    }),
  )
  outcomes.push({ claim, seconds: (performance.now() - stepStartedAt) / 1000, ...outcome })
  process.stdout.write(`[${elapsed()}] ${outcome.result}: ${outcome.detail}\n`)
  if (!installation.isInstalled) break
}
const failed = outcomes.filter(({ result }) => result === 'WRONG').length
if (!isPart) writeReport(outcomes, await clusterVersion())
if (!options.keep) await run('kubectl', ['delete', 'namespace', options.namespace, '--wait=false'])
process.stdout.write(`${outcomes.length - failed} of ${outcomes.length} claims held, in ${elapsed()}\n`)
process.exit(failed === 0 ? 0 : 1)

function elapsed(): string {
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`
}

async function checkPrerequisites(): Promise<void> {
  const missing: string[] = []
  if (!(await isPresent('kubectl', ['version', '--client']))) missing.push('kubectl is not on the PATH')
  else if (!(await isPresent('kubectl', ['get', '--raw', '/readyz'])))
    missing.push('no cluster answers at the current kube context')
  if (!(await isPresent('helm', ['version']))) missing.push('helm is not on the PATH')
  if (missing.length === 0) return
  process.stderr.write(`${missing.join('; ')}\n\n${usage}`)
  process.exit(2)
}

async function clusterVersion(): Promise<string> {
  const { serverVersion } = JSON.parse(await run('kubectl', ['version', '--output', 'json']))
  const nodes = (await run('kubectl', ['get', 'nodes', '--output', 'name'])).trim().split('\n').length
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  return `Kubernetes ${serverVersion.gitVersion}, ${nodes} node${nodes === 1 ? '' : 's'}, commit ${commit}`
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        image: { type: 'string', default: 'docker.io/flowforge/flowforge:0.1.0' },
        older: { type: 'string' },
        outside: { type: 'string' },
        namespace: { type: 'string', default: 'flowforge-test' },
        only: { type: 'string', multiple: true, default: [] },
        keep: { type: 'boolean', default: false },
      },
    })
    return values
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}
