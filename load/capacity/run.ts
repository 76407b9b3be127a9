/** `npm run load -- capacity`: a ladder of rates, the model that is fitted to it, and docs/capacity.md. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '@flowforge/local/config'
import { commit, machine } from '../facts.ts'
import { numberOf, suiteOptions } from '../suite-options.ts'
import { measureRates } from './measure.ts'
import { fitModel } from './model.ts'
import { capacityReport } from './report.ts'
import { readCapacityResults, writeCapacityResults } from './results.ts'

const rates = [50, 100, 200, 400, 600, 800, 1_000]

const usage = `Usage: npm run load -- capacity [options]

Creates and runs ${rates.join(', ')} tasks a second on a fresh system, and writes what they needed to
docs/capacity.md, with what other rates will need.

  --seconds N    of each rate (10)
  --rewrite      only writes the document again, from the last data
  --help         this text
`

export async function runCapacity(args: string[]): Promise<void> {
  const { seconds, rewrite } = readOptions(args)
  if (!rewrite) await measureAll(seconds)
  const results = readCapacityResults()
  if (!results) throw new Error('there is no data yet: leave --rewrite away')
  writeFileSync(join(root, 'docs/capacity.md'), capacityReport(results, fitModel(results.points)))
}

async function measureAll(seconds: number): Promise<void> {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort())
  const points = await measureRates(
    rates,
    seconds,
    interrupted.signal,
    ({ perSecond, p95Ms, usage, connectionsBusy }) => {
      const cores = usage.reduce((sum, { cores: each }) => sum + each, 0)
      process.stdout.write(
        `${perSecond}/s: p95 ${p95Ms} ms, ${cores.toFixed(2)} cores, ${connectionsBusy} connections busy\n`,
      )
    },
  )
  writeCapacityResults({ time: new Date().toISOString(), commit: await commit(), machine: machine(), points })
}

function readOptions(args: string[]) {
  return suiteOptions(
    usage,
    args,
    {
      seconds: { type: 'string', default: '10' },
      rewrite: { type: 'boolean', default: false },
    },
    (values) => ({ seconds: numberOf('seconds', values.seconds, 1, 600), rewrite: values.rewrite }),
  )
}
