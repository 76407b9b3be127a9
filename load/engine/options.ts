import { namesOf, suiteOptions, wholeNumberOf } from '../suite-options.ts'
import { contenders } from './contenders.ts'
import { scales, type Scale } from './scales.ts'
import { scenarioNames, type ScenarioName } from './scenarios.ts'

const usage = `Usage: npm run load -- engine [options]

Runs FlowForge and other task queues one after the other, round by round, on one machine and one PostgreSQL server.

  --rounds N        how often each has its turn (5)
  --scale SIZE      ${Object.keys(scales).join(', ')} (small)
  --only NAMES      of ${contenders.map(({ name }) => name).join(', ')} (all)
  --scenario NAMES  of ${scenarioNames.join(', ')} (all)
  --profile         write CPU profiles of the tasks service to load/results/profiles and print where its time went
  --keep            leave load/results and load/engine/README.md as they are; so does a run that is not of all, unless it
                    is of some scenarios of flowforge alone at full size: those are kept apart
  --json            print the data instead of the table
  --help            this text

Names are separated by commas. Redis and Go are used when they are installed.
`

export interface Options {
  rounds: number
  scaleName: string
  scale: Scale
  contenders: string[]
  scenarios: ScenarioName[]
  profile: boolean
  /** Whether the results replace those that are kept; `part` are those of some scenarios at full size. */
  keeps: 'all' | 'part' | 'nothing'
  json: boolean
}

/** Reads the command line; prints the usage and exits where it asks for that or is wrong. */
export function readOptions(args: string[]): Options {
  return suiteOptions(
    usage,
    args,
    {
      rounds: { type: 'string', default: '5' },
      scale: { type: 'string', default: 'small' },
      only: { type: 'string' },
      scenario: { type: 'string' },
      profile: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
    (values) => {
      const scale = scales[values.scale]
      if (!scale) throw new Error(`--scale must be one of ${Object.keys(scales).join(', ')}`)
      return {
        rounds: wholeNumberOf('rounds', values.rounds, 1, 50),
        scaleName: values.scale,
        scale,
        contenders: namesOf(
          'only',
          values.only,
          contenders.map(({ name }) => name),
        ),
        scenarios: namesOf('scenario', values.scenario, scenarioNames),
        profile: values.profile,
        keeps: keeps(values),
        json: values.json,
      }
    },
  )
}

function keeps(values: { keep: boolean; profile: boolean; only?: string; scenario?: string; scale: string }) {
  // With a profiler they would not be comparable to what is there.
  if (values.keep || values.profile || values.scale === 'tiny') return 'nothing'
  if (!values.only && !values.scenario) return 'all'
  return values.only === 'flowforge' && values.scenario && values.scale === 'full' ? 'part' : 'nothing'
}
