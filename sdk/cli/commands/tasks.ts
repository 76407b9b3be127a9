import type { Command } from 'commander'
import { integer } from '../arguments.ts'
import { withClient, type GlobalOptions } from '../connection.ts'
import { print, printList, printOne, taskDetails, taskLine, taskRow } from '../output.ts'
import { take } from '../take.ts'

interface ListOptions extends GlobalOptions {
  filter?: string
  orderBy?: string
  limit: number
}

interface EtagOption extends GlobalOptions {
  etag?: string
}

/** Declares `flowforge get`, `list`, `watch`, `cancel`, `retry` and `delete`. */
export function addTasks(program: Command): void {
  onTask(program, 'get', 'Show a task.').action(async (name: string, _: unknown, command: Command) => {
    const options = command.optsWithGlobals<GlobalOptions>()
    await withClient(options, async (client) => printOne(await client.getTask(name), options.json, taskDetails))
  })

  program
    .command('list')
    .description('List tasks, newest first.')
    .option('--filter <expression>', 'by state, queue, type, priority, create_time, schedule_time, labels.KEY')
    .option('--order-by <order>', '"create_time" or "create_time desc"')
    .option('--limit <number>', 'at most this many', integer, 50)
    .addHelpText('after', `\nExample:\n  $ flowforge list --filter 'state = DEAD AND queue = "mail"' --json`)
    .action(async (_: unknown, command: Command) => {
      const { filter, orderBy, limit, ...options } = command.optsWithGlobals<ListOptions>()
      const pageSize = Math.max(1, Math.min(limit, 1_000))
      await withClient(options, async (client) => {
        await printList(take(client.listTasks({ filter, orderBy, pageSize }), limit), options.json, taskRow)
      })
    })

  onTask(program, 'watch', 'Follow a task to its end.').action(async (name: string, _: unknown, command: Command) => {
    const options = command.optsWithGlobals<GlobalOptions>()
    await withClient(options, async (client) => {
      for await (const task of client.watchTask(name)) printOne(task, options.json, taskLine)
    })
  })

  onTask(program, 'cancel', 'Cancel a task: one that waits at once, a running one when its worker has stopped.')
    .option('--etag <etag>', 'only if the task is still this one')
    .action(async (name: string, _: unknown, command: Command) => {
      const { etag, ...options } = command.optsWithGlobals<EtagOption>()
      await withClient(options, async (client) =>
        printOne(await client.cancelTask(name, { etag }), options.json, taskLine),
      )
    })

  onTask(program, 'retry', 'Put a dead or cancelled task back, or end its wait for a backoff.')
    .option('--etag <etag>', 'only if the task is still this one')
    .action(async (name: string, _: unknown, command: Command) => {
      const { etag, ...options } = command.optsWithGlobals<EtagOption>()
      await withClient(options, async (client) =>
        printOne(await client.retryTask(name, { etag }), options.json, taskLine),
      )
    })

  onTask(program, 'delete', 'Delete a task and all that is known of it.')
    .option('--etag <etag>', 'only if the task is still this one')
    .action(async (name: string, _: unknown, command: Command) => {
      const { etag, ...options } = command.optsWithGlobals<EtagOption>()
      await withClient(options, (client) => client.deleteTask(name, { etag }))
      print(options.json ? '{}' : `${name} deleted`)
    })
}

function onTask(program: Command, verb: string, description: string): Command {
  return program
    .command(verb)
    .description(description)
    .argument('<task>', 'its name, or the last segment of it')
    .addHelpText('after', `\nExample:\n  $ flowforge ${verb} 019a2b3c-4d5e-7f60-8a9b-0c1d2e3f4a5b`)
}
