import type { Command } from 'commander'
import type { QueueSettings } from '@flowforge/sdk/client-resources'
import { decimal, duration, integer, span, weight } from '../arguments.ts'
import { withClient, type GlobalOptions } from '../connection.ts'
import { UsageError } from '../exit.ts'
import { printList, printOne, queueLine, queueRow } from '../output.ts'

interface UpdateOptions extends GlobalOptions {
  concurrency?: number
  concurrencyPerKey?: number
  rate?: number
  burst?: number
  weight?: Record<string, number>
  ageing?: number
  retention?: number
}

/** Declares `flowforge queues list|update|pause|resume`. */
export function addQueues(program: Command): void {
  const queues = program
    .command('queues')
    .description('Look at queues and steer them.')
    .addHelpText('after', '\nExample:\n  $ flowforge queues pause mail')

  queues
    .command('list')
    .description('List queues and how full they are.')
    .addHelpText('after', '\nExample:\n  $ flowforge queues list --json')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      await withClient(options, (client) => printList(client.listQueues(), options.json, queueRow))
    })

  queues
    .command('update')
    .description('Change what the options name of a queue, creating it if there is none.')
    .argument('<queue>', 'its id')
    .option('--concurrency <number>', 'at most so many run at a time; 0 for no limit', integer)
    .option('--concurrency-per-key <number>', 'at most so many with one concurrency key run at a time', integer)
    .option('--rate <number>', 'at most so many start per second; 0 for no limit', decimal)
    .option('--burst <number>', 'as many may start at once after a pause', integer)
    .option('--weight <key=number>', "a fairness key's share; may be repeated, and replaces all weights", weight)
    .option('--ageing <span>', 'tasks that waited this long go first, such as 10m; 0s for never', span)
    .option('--retention <span>', 'how long finished tasks are kept, such as 14d', span)
    .addHelpText('after', '\nExample:\n  $ flowforge queues update mail --concurrency 20 --rate 5 --weight acme=2')
    .action(async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<UpdateOptions>()
      const settings = settingsOf(options)
      if (Object.keys(settings).length === 0) throw new UsageError('nothing to change: see --help for what can be')
      await withClient(options, async (client) =>
        printOne(await client.updateQueue(name, settings), options.json, queueLine),
      )
    })

  const steer = (verb: 'pause' | 'resume', description: string) =>
    queues
      .command(verb)
      .description(description)
      .argument('<queue>', 'its id')
      .addHelpText('after', `\nExample:\n  $ flowforge queues ${verb} mail`)
      .action(async (name: string, _: unknown, command: Command) => {
        const options = command.optsWithGlobals<GlobalOptions>()
        await withClient(options, async (client) => {
          const queue = verb === 'pause' ? await client.pauseQueue(name) : await client.resumeQueue(name)
          printOne(queue, options.json, queueLine)
        })
      })

  steer('pause', 'Stop handing out tasks of a queue; what runs goes on.')
  steer('resume', 'Hand out tasks of a paused queue again.')
}

function settingsOf(options: UpdateOptions): QueueSettings {
  const { concurrency, concurrencyPerKey, rate, burst, weight: weights, ageing, retention } = options
  return {
    ...(concurrency !== undefined && { concurrency }),
    ...(concurrencyPerKey !== undefined && { concurrencyPerKey }),
    ...(rate !== undefined && { ratePerSecond: rate }),
    ...(burst !== undefined && { rateBurst: burst }),
    ...(weights !== undefined && { fairnessWeights: weights }),
    // Named in the mask but not set, it goes.
    ...(ageing !== undefined && { ageing: ageing === 0 ? undefined : duration(ageing) }),
    ...(retention !== undefined && { retention: duration(retention) }),
  }
}
