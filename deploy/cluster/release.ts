/** `npm run release -- --tag V`: a canary beside the running version, a look at it, then all of it or none. */
import { parseArgs } from 'node:util'
import { setTimeout as delay } from 'node:timers/promises'
import { run } from './command.ts'
import { chart } from './installation.ts'

const usage = `Usage: npm run release -- --tag VERSION [options]

Runs a version as a canary behind the same Services, and tests it. Good: every pod becomes that version. Not: the release is
rolled back to what it was.

  --tag VERSION      tag of the image
  --release NAME     (flowforge)
  --namespace NAME   (flowforge)
  --watch SECONDS    how long the canary serves before it is judged (30)
`
const options = readOptions()
const base = ['--namespace', options.namespace]
const startedAt = performance.now()
const revision = await currentRevision()

try {
  say(`${options.tag} as a canary beside revision ${revision}`)
  await upgrade(['canary.enabled=true', `canary.tag=${options.tag}`], '60s')
  say(`it serves; looking for ${options.watch} s`)
  await delay(Number(options.watch) * 1_000)
  await judge()
  say('it is good: all pods become that version')
  await upgrade(['canary.enabled=false', `image.tag=${options.tag}`], '8m')
  say('done')
} catch (error) {
  const failedAt = performance.now()
  say(`taken back: ${(error as Error).message.split('\n').at(-1)}`)
  await run('helm', ['rollback', options.release, revision, ...base, '--wait', '--timeout', '8m'])
  // The hook that could not be run is not part of what was rolled back.
  const jobs = `app.kubernetes.io/instance=${options.release},app.kubernetes.io/component in (setup,migrate)`
  await run('kubectl', [...base, 'delete', 'job', '--selector', jobs])
  say(`as before, ${((performance.now() - failedAt) / 1000).toFixed(0)} s after that`)
  process.exit(1)
}

function upgrade(values: string[], timeout: string): Promise<string> {
  const set = values.flatMap((value) => ['--set', value])
  return run(
    'helm',
    ['upgrade', options.release, chart, ...base, '--reuse-values', '--wait', '--timeout', timeout, ...set],
    {
      timeoutMs: 600_000,
    },
  )
}

/** The tests pass, no canary pod was started again, and none answered a call with a fault of its own. */
async function judge(): Promise<void> {
  await run('helm', ['test', options.release, ...base])
  const selector = `app.kubernetes.io/instance=${options.release},flowforge.dev/track=canary`
  const { items } = JSON.parse(
    await run('kubectl', [...base, 'get', 'pods', '--selector', selector, '--output', 'json']),
  ) as {
    items: { metadata: { name: string }; status: { containerStatuses: { restartCount: number }[] } }[]
  }
  for (const { metadata, status } of items) {
    if (status.containerStatuses.some(({ restartCount }) => restartCount > 0))
      throw new Error(`${metadata.name} was started again`)
    const faults = faultsIn(await metricsOf(metadata.name))
    if (faults > 0) throw new Error(`${metadata.name} answered ${faults} calls with INTERNAL, UNKNOWN or DATA_LOSS`)
  }
}

function metricsOf(pod: string): Promise<string> {
  const program = "fetch('http://127.0.0.1:9101/metrics').then((r) => r.text()).then(console.log)"
  return run('kubectl', [...base, 'exec', pod, '--', '/nodejs/bin/node', '--eval', program])
}

function faultsIn(metrics: string): number {
  const lines = metrics.matchAll(/^grpc_server_handled_total\{[^}]*code="(INTERNAL|UNKNOWN|DATA_LOSS)"[^}]*\} (\d+)/gm)
  return [...lines].reduce((sum, [, , count]) => sum + Number(count), 0)
}

async function currentRevision(): Promise<string> {
  const [last] = JSON.parse(
    await run('helm', ['history', options.release, ...base, '--max', '1', '--output', 'json']),
  ) as {
    revision: number
  }[]
  return String(last!.revision)
}

function say(line: string): void {
  process.stdout.write(`[${((performance.now() - startedAt) / 1000).toFixed(0).padStart(3)} s] ${line}\n`)
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        tag: { type: 'string' },
        release: { type: 'string', default: 'flowforge' },
        namespace: { type: 'string', default: 'flowforge' },
        watch: { type: 'string', default: '30' },
      },
    })
    if (values.tag === undefined) throw new Error('--tag is missing')
    return { ...values, tag: values.tag }
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}
