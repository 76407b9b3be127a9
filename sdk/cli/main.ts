import { Command, CommanderError } from 'commander'
import { FlowForgeError } from '@flowforge/sdk/client-error'
import { addBulk } from './commands/bulk.ts'
import { addImport } from './commands/import.ts'
import { addQueues } from './commands/queues.ts'
import { addSchedules } from './commands/schedules.ts'
import { addSubmit } from './commands/submit.ts'
import { addTasks } from './commands/tasks.ts'
import { addConnectionOptions } from './connection.ts'
import { exitCodes, FailedError, UsageError } from './exit.ts'

/** Runs one command line and gives its exit code: 0 done, 1 refused, 2 wrong usage, 3 FlowForge cannot be reached. */
export async function run(args: string[]): Promise<number> {
  // A reader that has seen enough (`flowforge list | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  try {
    await program().parseAsync(args, { from: 'user' })
    return exitCodes.done
  } catch (error) {
    return report(error)
  }
}

function program(): Command {
  const flowforge = new Command('flowforge')
    .description('Hands in FlowForge tasks and looks after them.')
    .version('0.1.0')
    .helpCommand(false)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .option('--json', 'write JSON for programs; lists as one object per line')
    .addHelpText('after', '\nExample:\n  $ flowforge submit echo --payload \'{"hello": "world"}\' --wait')
    .addHelpText('after', '\nExit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 FlowForge cannot be reached')
  addConnectionOptions(flowforge)
  for (const add of [addSubmit, addTasks, addBulk, addImport, addQueues, addSchedules]) add(flowforge)
  return flowforge
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
  if (error instanceof FailedError) return exitCodes.refused
  if (error instanceof UsageError) return say(error.message, exitCodes.usage)
  if (!(error instanceof FlowForgeError)) throw error
  const reason = error.reason && error.reason !== error.status ? `, ${error.reason}` : ''
  const isUnreachable = error.status === 'UNAVAILABLE' || error.status === 'DEADLINE_EXCEEDED'
  return say(`${error.message} (${error.status}${reason})`, isUnreachable ? exitCodes.unavailable : exitCodes.refused)
}

function say(message: string, exitCode: number): number {
  process.stderr.write(`flowforge: ${message.replaceAll(/\s*\n\s*/g, ' ')}\n`)
  return exitCode
}
