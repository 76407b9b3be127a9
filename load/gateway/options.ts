import { namesOf, numberOf, suiteOptions, wholeNumberOf } from '../suite-options.ts'
import { contenders } from './contenders.ts'

const usage = `Usage: npm run load -- gateway [options]

Runs our gateway and others, each on one core, one after the other, round by round.

  --rounds N     how often each has its turn (3)
  --seconds N    of each load (1.5); waits are counted four times as long
  --only NAMES   of ${contenders.map(({ name }) => name).join(', ')} (all)
  --keep         leave load/results and load/gateway/README.md as they are; so does a run that is not of all
  --json         print the data instead of the tables
  --help         this text

Names are separated by commas. Go and pip are used when they are installed.
`

export interface Options {
  rounds: number
  seconds: number
  contenders: string[]
  writesResults: boolean
  json: boolean
}

/** Reads the command line; prints the usage and exits where it asks for that or is wrong. */
export function readOptions(args: string[]): Options {
  return suiteOptions(
    usage,
    args,
    {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '1.5' },
      only: { type: 'string' },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
    (values) => ({
      rounds: wholeNumberOf('rounds', values.rounds, 1, 50),
      seconds: numberOf('seconds', values.seconds, 0.2, 60),
      contenders: namesOf(
        'only',
        values.only,
        contenders.map(({ name }) => name),
      ),
      writesResults: !values.keep && !values.only,
      json: values.json,
    }),
  )
}
