/** `npm run chaos -- <command>`: experiments that state what must stay true, do something terrible, and let a checker decide. */
import { parseArgs } from 'node:util'
import type { Experiment } from './experiment.ts'
import { experiments } from './experiments.ts'
import { kubernetesDriver } from './kubernetes/driver.ts'
import type { Installation } from './kubernetes/installation.ts'
import { render, renderText } from './kubernetes/render.ts'
import { writeReport } from './report/write.ts'
import { localDriver } from './local/driver.ts'
import { run as runOne } from './run.ts'
import { writeResult, type Result } from './results.ts'

const usage = `Usage: npm run chaos -- <command> [options]

  list              what there is, which are short, and what a cluster can have: run, or only rendered
  run NAME…         runs these experiments, one after the other, each on a system of its own on this machine
  run short         those that belong to the short set (about 4 minutes)
  run all           all of them (about 25 minutes)
  render NAME…      prints them for Kubernetes: Chaos Mesh workflows, routes, and the commands where there is neither
  report            writes docs/reports/chaos.md from the last results

  --kubernetes      for run: on a release in the cluster of the current kube context, with kubectl alone
  --namespace NS    for render and --kubernetes: of the release (flowforge)
  --release NAME    for render and --kubernetes (flowforge)
  --image IMAGE     for render: holds the fault backend (flowforge/chaos:dev)
  --rate N          tasks a second, for run (50; some experiments have their own)
  --keep            leave chaos/results as it is
  --json            print the results as JSON, one a line
  --help            this text

Exits with 1 when an experiment did not hold. Ctrl-C ends the fault and the system first.
`

const { positionals, values } = readArguments()
const [command, ...names] = positionals

if (values.help || command === undefined) process.stdout.write(usage)
else if (command === 'list') list()
else if (command === 'run') await run(chosen(names))
else if (command === 'render') for (const one of chosen(names)) process.stdout.write(renderText(one, installation()))
else if (command === 'report') writeReport()
else wrong(`there is no command ${command}`)

function list(): void {
  process.stdout.write(
    columns([
      ['experiment', 'set', 'here', 'cluster', ''],
      ...experiments.map((experiment) => [
        experiment.name,
        experiment.isShort ? 'short' : '',
        localDriver.whyNot(experiment) === undefined ? 'run' : '',
        onCluster(experiment),
        experiment.title,
      ]),
    ]),
  )
}

/** Whether an experiment runs on a cluster with kubectl alone, or what `render` prints must be done by somebody else. */
function onCluster(experiment: Experiment): string {
  if (kubernetesDriver(installation()).whyNot(experiment) === undefined) return 'run'
  const { objects, commands } = render(experiment, installation())
  return objects.length > 0 || commands ? 'render' : ''
}

async function run(selected: Experiment[]): Promise<void> {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort())
  const driver = values.kubernetes ? kubernetesDriver(installation()) : localDriver
  const results: Result[] = []
  try {
    for (const experiment of selected) {
      const result = await runOne(adjusted(experiment), driver, interrupted.signal)
      results.push(result)
      if (!values.keep) writeResult(result)
      if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
    }
  } catch (error) {
    if (!interrupted.signal.aborted) throw error
  }
  if (!values.json) process.stdout.write(table(results))
  process.exitCode = interrupted.signal.aborted
    ? 130
    : results.every(({ verdict }) => verdict === 'held' || verdict === 'skipped')
      ? 0
      : 1
}

/** With the load that was asked for. */
function adjusted(experiment: Experiment): Experiment {
  if (values.rate === undefined) return experiment
  const ratePerSecond = Number(values.rate)
  if (!(ratePerSecond >= 1 && ratePerSecond <= 10_000)) wrong('--rate must be from 1 to 10000')
  return { ...experiment, traffic: { ...experiment.traffic, ratePerSecond } }
}

function table(results: Result[]): string {
  const rows = results.map(({ name, verdict, figures, seconds }) => [
    name,
    verdict,
    figures ? `${(figures.errorShareDuring * 100).toFixed(1)} %` : '',
    figures?.detectMs === undefined ? '' : `${(figures.detectMs / 1_000).toFixed(1)} s`,
    figures?.recoverMs === undefined ? '' : `${(figures.recoverMs / 1_000).toFixed(1)} s`,
    figures ? String(figures.lostAttempts) : '',
    `${seconds} s`,
  ])
  return columns([['experiment', 'verdict', 'errors during', 'noticed', 'recovered', 'lost attempts', 'took'], ...rows])
}

function columns(all: string[][]): string {
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

function chosen(wanted: string[]): Experiment[] {
  if (wanted.length === 0) wrong('run what? NAME…, short or all')
  return wanted.flatMap((name) => {
    if (name === 'all') return experiments
    if (name === 'short') return experiments.filter(({ isShort }) => isShort)
    return experiments.find((one) => one.name === name) ?? wrong(`there is no experiment ${name}`)
  })
}

function installation(): Installation {
  return { namespace: values.namespace, release: values.release, faultBackendImage: values.image }
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        namespace: { type: 'string', default: 'flowforge' },
        release: { type: 'string', default: 'flowforge' },
        image: { type: 'string', default: 'flowforge/chaos:dev' },
        kubernetes: { type: 'boolean', default: false },
        rate: { type: 'string' },
        keep: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    return wrong((error as Error).message)
  }
}

function wrong(message: string): never {
  process.stderr.write(`${message}\n\n${usage}`)
  process.exit(2)
}
