/** `npm run load -- <suite> [options]`: measurements that take minutes, each with a folder of its own. */
import { runCapacity } from './capacity/run.ts'
import { runCompare } from './compare/run.ts'
import { runEngine } from './engine/run.ts'
import { runGateway } from './gateway/run.ts'
import { runGrpc } from './grpc/run.ts'
import { runHttp } from './http/run.ts'
import { runScaling } from './scaling/run.ts'
import { runRuntime } from './runtime/run.ts'

const suites = new Map([
  ['capacity', runCapacity],
  ['compare', runCompare],
  ['engine', runEngine],
  ['gateway', runGateway],
  ['grpc', runGrpc],
  ['http', runHttp],
  ['scaling', runScaling],
  ['runtime', runRuntime],
])
const [name, ...options] = process.argv.slice(2)
const suite = suites.get(name ?? '')
if (suite === undefined) {
  const names = [...suites.keys()].join('|')
  process.stderr.write(`Usage: npm run load -- ${names} [options]; SUITE --help lists them\n`)
  process.exit(name === undefined || name === '--help' ? 0 : 2)
}
await suite(options)
