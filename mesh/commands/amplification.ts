import type { Command } from 'commander'
import { amplifications } from '../graph.ts'
import { loadPolicies } from '../policy/read-policies.ts'
import { found, say } from './say.ts'

/** One request of a user may become this many at the far end. */
export const amplificationMax = 2

export function addAmplification(program: Command): void {
  program
    .command('amplification')
    .description('print how many attempts one request becomes at worst, along every way through the call graph')
    .action(() => {
      const all = amplifications(loadPolicies())
      say(...all.map(({ path, attempts }) => `${attempts.toFixed(1)}  ${path.join(' → ')}`))
      const worst = all[0]?.attempts ?? 1
      const verdict = `${worst.toFixed(1)} end to end at worst, ${amplificationMax.toFixed(1)} allowed`
      if (worst > amplificationMax) found(verdict)
      else say(verdict)
    })
}
