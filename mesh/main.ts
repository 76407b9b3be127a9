/** `npx flowforge-mesh`: the policy compiler's command line. */
import { Command, CommanderError } from 'commander'
import { addAmplification } from './commands/amplification.ts'
import { addCheck } from './commands/check.ts'
import { addBaseline, addDiff } from './commands/diff.ts'
import { addGenerate } from './commands/generate.ts'
import { addLint } from './commands/lint.ts'
import { PolicyError } from './policy/problem.ts'

const program = new Command('flowforge-mesh')
  .description('Compiles the policy that the contracts declare, and judges what was compiled.')
  .helpCommand(false)
  .exitOverride()
  .addHelpText('after', '\nExample:\n  $ helm template my-release my-chart | npx flowforge-mesh lint -')
  .addHelpText('after', '\nExit codes: 0 nothing found, 1 something found, 2 wrong usage')
for (const add of [addGenerate, addCheck, addLint, addDiff, addBaseline, addAmplification]) add(program)

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    // A contract that does not compile, or a file that cannot be read or is something else.
    const isTold = error instanceof PolicyError
    process.stderr.write(
      `${isTold ? '' : 'flowforge-mesh: '}${error instanceof Error ? error.message : String(error)}\n`,
    )
    process.exitCode = isTold ? 1 : 2
  }
}
