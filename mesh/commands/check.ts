import type { Command } from 'commander'
import { root, staleFiles } from '../compiled-files.ts'
import { unacknowledged } from '../diff/gate.ts'
import { amplifications } from '../graph.ts'
import { snapshot } from '../outputs/snapshot.ts'
import { loadPolicies } from '../policy/read-policies.ts'
import { amplificationMax } from './amplification.ts'
import { demand } from './diff.ts'
import { found, say } from './say.ts'

export function addCheck(program: Command): void {
  program
    .command('check')
    .description(
      'fail when a compiled file is stale, access is widened without a decision, or retries multiply too much',
    )
    .action(() => {
      const policies = loadPolicies()
      const stale = staleFiles(policies)
      if (stale.length > 0)
        found(...stale.map((path) => `${path} is stale: run npm run generate and commit the result`))
      const [worst] = amplifications(policies)
      if (worst && worst.attempts > amplificationMax) {
        found(`${worst.path.join(' → ')} multiplies a request by ${worst.attempts}, ${amplificationMax} are allowed`)
      }
      for (const change of unacknowledged(root, snapshot(policies))) found(demand(change))
      if (process.exitCode !== 1) say('compiled files are fresh, nothing is wider than released')
    })
}
