/** `npm run load -- http`: scenarios against `npm start`'s processes on this machine. */
import { commit, machine } from '../facts.ts'
import { short } from '../report/numbers.ts'
import { namesOf, numberOf, suiteOptions } from '../suite-options.ts'
import { withFreshSystem } from './fresh-system.ts'
import { measure, type Measured } from './measure.ts'
import { writeLoadReport } from './report.ts'
import { writeHttpResults } from './results.ts'
import { longScenarios, scenarios } from './scenarios.ts'

const usage = `Usage: npm run load -- http [options]

Loads the gateway over HTTP, open loop: requests arrive at random moments whether earlier ones were answered or not, and
latency counts from when a request was due. Each scenario has a fresh system of its own.

  --scenario NAMES  of ${scenarios.map(({ name }) => name).join(', ')};
                    all but ${longScenarios.join(', ')} if absent
  --seconds N       the length of each, instead of its own
  --keep            leave load/results and docs/reports as they are
  --json            print the data instead of the table
  --help            this text
`

export async function runHttp(args: string[]): Promise<void> {
  const { chosen, keep, json } = readOptions(args)
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort())
  const runs: (Measured & { time: string; commit: string })[] = []
  for (const scenario of chosen) {
    if (interrupted.signal.aborted) break
    process.stderr.write(`${scenario.name}: ${scenario.title}, ${scenario.seconds} s\n`)
    const measured = await withFreshSystem(scenario, interrupted.signal, (system) =>
      measure(system, scenario, interrupted.signal),
    )
    runs.push({ ...measured, time: new Date().toISOString(), commit: await commit() })
    if (!json) process.stdout.write(`${line(measured)}\n`)
  }
  if (json) process.stdout.write(`${JSON.stringify(runs)}\n`)
  if (keep || interrupted.signal.aborted) return
  writeHttpResults(machine(), runs)
  writeLoadReport()
}

function line({ perSecond, errorShare, latencies, backlogMax, usage: used }: Measured): string {
  const { p50, p95, p99 } = latencies
  const cores = used.reduce((sum, { cores: each }) => sum + each, 0)
  return `  ${perSecond}/s, ${(errorShare * 100).toFixed(2)} % errors, p50 ${short(p50)} p95 ${short(p95)} p99 ${short(p99)} ms, ${cores.toFixed(2)} cores, backlog at most ${backlogMax}`
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
      const all = scenarios.map(({ name }) => name)
      const wanted = values.scenario ?? all.filter((name) => !longScenarios.includes(name)).join(',')
      const names = namesOf('scenario', wanted, all)
      const chosen = scenarios
        .filter(({ name }) => names.includes(name))
        .map((scenario) => (seconds === undefined ? scenario : { ...scenario, seconds }))
      return { chosen, keep: values.keep || seconds !== undefined, json: values.json }
    },
  )
}
