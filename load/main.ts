/** `npm run load -- <suite> [options]`: measurements that take minutes, each with a folder of its own. */
import { runEngine } from './engine/run.ts'

const [suite, ...options] = process.argv.slice(2)
if (suite === 'engine') {
  await runEngine(options)
} else {
  process.stderr.write('Usage: npm run load -- engine [options]; engine --help lists them\n')
  process.exit(suite === undefined || suite === '--help' ? 0 : 2)
}
