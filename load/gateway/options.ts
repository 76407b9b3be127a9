import { parseArgs } from 'node:util'
import { contenders } from './contenders.ts'

const usage = `Usage: npm run load -- gateway [options]

Runs our gateway and others, each on one core, one after the other, round by round.

  --rounds N     how often each has its turn (3)
  --seconds N    of each load (1.5)
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
  try {
    const { values } = parseArgs({
      args,
      options: {
        rounds: { type: 'string', default: '3' },
        seconds: { type: 'string', default: '1.5' },
        only: { type: 'string' },
        keep: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) exit(usage, 0)
    const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)]
    if (!Number.isInteger(rounds) || rounds < 1 || rounds > 50) throw new Error('--rounds must be from 1 to 50')
    if (!(seconds >= 0.2 && seconds <= 60)) throw new Error('--seconds must be from 0.2 to 60')
    const all = contenders.map(({ name }) => name)
    const wanted = values.only?.split(',') ?? all
    const unknown = wanted.filter((name) => !all.includes(name))
    if (unknown.length > 0) throw new Error(`--only: there is no ${unknown.join(' and no ')}`)
    return { rounds, seconds, contenders: wanted, writesResults: !values.keep && !values.only, json: values.json }
  } catch (error) {
    return exit(`${(error as Error).message}\n\n${usage}`, 2)
  }
}

function exit(message: string, code: number): never {
  process[code === 0 ? 'stdout' : 'stderr'].write(message)
  process.exit(code)
}
