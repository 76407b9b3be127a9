/** `npm run load -- http`: scenarios against `npm start`'s processes on this machine. */
import { commit, machine } from '../facts.ts'
import { Progress } from '../progress.ts'
import { namesOf, numberOf, suiteOptions } from '../suite-options.ts'
import { withFreshSystem } from './fresh-system.ts'
import { measure, type Measured, type Told } from './measure.ts'
import { writeLoadReport } from './report.ts'
import { writeHttpResults } from './results.ts'
import { longScenarios, scenarios, type Scenario } from './scenarios.ts'
import { summary } from './summary.ts'

const usage = `Usage: npm run load -- http [options]

Loads the gateway over HTTP, open loop: requests arrive at random moments whether earlier ones were answered or not, and
latency counts from when a request was due. Each scenario has a fresh system of its own.

  --scenario NAMES  of ${scenarios.map(({ name }) => name).join(', ')};
                    all (13 minutes), or all but ${longScenarios.join(', ')} (8 minutes) if absent
  --seconds N       the length of each, instead of its own
  --keep            leave load/results and docs/reports as they are
  --json            print the data instead of the summaries
  --help            this text
`

export async function runHttp(args: string[]): Promise<void> {
  const { chosen, keep, json } = readOptions(args)
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort())
  const runs: (Measured & { time: string; commit: string })[] = []
  for (const scenario of chosen) {
    if (interrupted.signal.aborted) break
    const measured = await measureShown(scenario, interrupted.signal)
    runs.push({ ...measured, time: new Date().toISOString(), commit: await commit() })
    if (!json) process.stdout.write(`${summary(measured)}\n`)
  }
  if (json) process.stdout.write(`${JSON.stringify(runs)}\n`)
  if (keep || interrupted.signal.aborted) return
  writeHttpResults(machine(), runs)
  writeLoadReport()
}

/** Measures on a system of its own and shows how far it is. */
async function measureShown(scenario: Scenario, signal: AbortSignal): Promise<Measured> {
  let now: Omit<Told, 'phase'> & { phase: string; sinceMs: number } = { phase: 'starting', counted: '', sinceMs: 0 }
  const progress = new Progress(process.stderr, scenario.name, () => {
    const { phase, lengthMs, sinceMs, counted } = now
    return { phase, part: lengthMs && (performance.now() - sinceMs) / lengthMs, counted }
  })
  const tell = (told: Told) => {
    now = { ...told, sinceMs: told.phase === now.phase ? now.sinceMs : performance.now() }
    progress.draw()
  }
  try {
    return await withFreshSystem(scenario, signal, (system) => measure(system, scenario, { signal, tell }))
  } finally {
    progress.end(`${scenario.name}: ${scenario.title}`)
  }
}

function readOptions(args: string[]) {
  return suiteOptions(
    usage,
    args,
    {
      scenario: { type: 'string' },
      seconds: { type: 'string' },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
    (values) => {
      const seconds = values.seconds === undefined ? undefined : numberOf('seconds', values.seconds, 1, 3_600)
      const chosen = scenariosOf(values.scenario).map((one) => (seconds === undefined ? one : { ...one, seconds }))
      return { chosen, keep: values.keep || seconds !== undefined, json: values.json }
    },
  )
}

function scenariosOf(list: string | undefined): Scenario[] {
  if (list === undefined) return scenarios.filter(({ name }) => !longScenarios.includes(name))
  const all = scenarios.map(({ name }) => name)
  const names = namesOf('scenario', list === 'all' ? undefined : list, all)
  return scenarios.filter(({ name }) => names.includes(name))
}
