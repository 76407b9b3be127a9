import type { Command } from 'commander'
import type { BulkAnswer, Client } from '@flowforge/sdk/client'
import { decimal } from '../arguments.ts'
import { withClient, type GlobalOptions } from '../connection.ts'
import { printOne } from '../output.ts'

interface BulkOptions extends GlobalOptions {
  filter: string
  dryRun?: boolean
  rate?: number
}

type Call = (client: Client, options: BulkOptions) => Promise<BulkAnswer>

/** Declares `flowforge bulk-cancel`, `bulk-retry` and `bulk-delete`. */
export function addBulk(program: Command): void {
  onTasks(program, 'cancel', 'cancelled', 'Cancel all tasks that a filter finds.', (client, { filter, dryRun }) =>
    client.bulkCancelTasks(filter, { dryRun }),
  )
  onTasks(
    program,
    'retry',
    'put back',
    'Put back all dead and cancelled tasks that a filter finds.',
    (client, { filter, dryRun, rate }) => client.bulkRetryTasks(filter, { dryRun, ratePerSecond: rate }),
  ).option('--rate <number>', 'so many per second (default: all at once)', decimal)
  onTasks(
    program,
    'delete',
    'deleted',
    'Delete all tasks that a filter finds, but for those that run.',
    (client, { filter, dryRun }) => client.bulkDeleteTasks(filter, { dryRun }),
  )
}

function onTasks(program: Command, verb: string, done: string, description: string, call: Call): Command {
  return program
    .command(`bulk-${verb}`)
    .description(description)
    .requiredOption('--filter <expression>', 'which tasks, as `list` has it')
    .option('--dry-run', 'only count them')
    .addHelpText('after', `\nExample:\n  $ flowforge bulk-${verb} --filter 'state = DEAD AND queue = mail' --dry-run`)
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<BulkOptions>()
      const answer = await withClient(options, (client) => untilComplete(client, call, options))
      printOne(answer, options.json, ({ count, complete }) => {
        const tasks = `${count} ${count === 1 ? 'task' : 'tasks'}`
        if (!complete) return `${tasks} ${options.dryRun ? 'or more' : `${done}, and more to come: run it again later`}`
        return options.dryRun ? `${tasks} would be ${done}` : `${tasks} ${done}`
      })
    })
}

async function untilComplete(client: Client, call: Call, options: BulkOptions): Promise<BulkAnswer> {
  let count = 0
  for (;;) {
    const answer = await call(client, options)
    count += answer.count
    // A dry run would count the same ones again; and at a rate, what is put back now must have started first.
    if (answer.complete || options.dryRun || options.rate !== undefined) return { ...answer, count }
  }
}
