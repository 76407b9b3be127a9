import { Option, type Command } from 'commander'
import type { MissedFirePolicy, NewSchedule, OverlapPolicy } from '@flowforge/sdk/client-resources'
import { duration, enumName, instant, span } from '../arguments.ts'
import { withClient, type GlobalOptions } from '../connection.ts'
import { UsageError } from '../exit.ts'
import { print, printList, printOne, scheduleLine, scheduleRow, taskLine } from '../output.ts'
import { addTaskOptions, newTask, type TaskOptions } from './submit.ts'

interface TimesOptions {
  timeZone?: string
  missed?: string
  overlap?: string
  jitter?: number
}

interface CreateOptions extends GlobalOptions, TaskOptions, TimesOptions {}

interface UpdateOptions extends GlobalOptions, TimesOptions {
  cron?: string
}

/** Declares `flowforge schedules create|update|list|pause|resume|run|backfill|delete`. */
export function addSchedules(program: Command): void {
  const schedules = program
    .command('schedules')
    .description('Create tasks again and again, by the clock.')
    .addHelpText(
      'after',
      `\nExample:\n  $ flowforge schedules create nightly '0 2 * * *' echo --time-zone Europe/Berlin`,
    )

  addTimesOptions(
    addTaskOptions(
      schedules
        .command('create')
        .description('Create a schedule.')
        .argument('<id>', 'the last segment of its name')
        .argument('<cron>', 'five or six fields (seconds first), or @hourly and the like')
        .argument('<type>', 'the type of its tasks'),
    ),
  )
    .addHelpText('after', `\nExample:\n  $ flowforge schedules create nightly '0 2 * * *' echo --payload '{"a": 1}'`)
    .action(async (id: string, cron: string, type: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<CreateOptions>()
      const schedule = { cron, ...timesOf(options), task: newTask(type, options) }
      await withClient(options, async (client) => {
        printOne(await client.createSchedule(id, schedule), options.json, scheduleLine)
      })
    })

  addTimesOptions(
    schedules
      .command('update')
      .description('Change what the options name of a schedule.')
      .argument('<schedule>', 'its id')
      .option('--cron <line>', 'five or six fields (seconds first), or @hourly and the like'),
  )
    .addHelpText('after', `\nExample:\n  $ flowforge schedules update nightly --cron '30 3 * * *' --overlap skip`)
    .action(async (name: string, _: unknown, command: Command) => {
      const { cron, ...options } = command.optsWithGlobals<UpdateOptions>()
      const changes = { ...timesOf(options), ...(cron !== undefined && { cron }) }
      if (Object.keys(changes).length === 0) throw new UsageError('nothing to change: see --help for what can be')
      await withClient(options, async (client) =>
        printOne(await client.updateSchedule(name, changes), options.json, scheduleLine),
      )
    })

  schedules
    .command('list')
    .description('List schedules.')
    .addHelpText('after', '\nExample:\n  $ flowforge schedules list')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      await withClient(options, (client) => printList(client.listSchedules(), options.json, scheduleRow))
    })

  const steer = (verb: string, description: string) =>
    schedules
      .command(verb)
      .description(description)
      .argument('<schedule>', 'its id')
      .addHelpText('after', `\nExample:\n  $ flowforge schedules ${verb} nightly`)

  steer('pause', 'Stop a schedule until it is resumed.').action(async (name: string, _: unknown, command: Command) => {
    const options = command.optsWithGlobals<GlobalOptions>()
    await withClient(options, async (client) => printOne(await client.pauseSchedule(name), options.json, scheduleLine))
  })
  steer('resume', 'Resume a schedule; what it missed is not made up for.').action(
    async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      await withClient(options, async (client) =>
        printOne(await client.resumeSchedule(name), options.json, scheduleLine),
      )
    },
  )
  steer('run', 'Create its task now, beside its regular times.').action(
    async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      await withClient(options, async (client) => printOne(await client.runSchedule(name), options.json, taskLine))
    },
  )
  schedules
    .command('backfill')
    .description('Create the tasks of all its times in a stretch that have none yet, up to 1,000.')
    .argument('<schedule>', 'its id')
    .argument('<start>', 'the first instant, such as 2030-01-31T00:00:00Z', instant)
    .argument('<end>', 'the instant to stop before', instant)
    .addHelpText(
      'after',
      '\nExample:\n  $ flowforge schedules backfill nightly 2030-01-01T00:00:00Z 2030-02-01T00:00:00Z',
    )
    .action(async (name: string, startTime: string, endTime: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const tasks = await withClient(options, (client) => client.backfillSchedule(name, { startTime, endTime }))
      print(
        options.json ? JSON.stringify({ tasks }) : [...tasks, `${tasks.length} fire times have their tasks`].join('\n'),
      )
    })
  steer('delete', 'Delete a schedule; tasks that it created stay.').action(
    async (name: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      await withClient(options, (client) => client.deleteSchedule(name))
      print(options.json ? '{}' : `${name} deleted`)
    },
  )
}

function addTimesOptions(command: Command): Command {
  const policy = (flags: string, description: string, choices: string[]) =>
    new Option(flags, description).choices(choices)
  return command
    .option('--time-zone <name>', 'such as Europe/Berlin (default: UTC)')
    .addOption(
      policy('--missed <policy>', 'what becomes of missed times (default: fire-once)', [
        'fire-once',
        'skip',
        'fire-all',
      ]),
    )
    .addOption(
      policy('--overlap <policy>', 'what happens when the task before has not finished (default: allow)', [
        'allow',
        'skip',
        'cancel-previous',
      ]),
    )
    .option('--jitter <span>', 'each task waits a time of its own up to this, such as 30s', span)
}

function timesOf({ timeZone, missed, overlap, jitter }: TimesOptions): Omit<Partial<NewSchedule>, 'cron' | 'task'> {
  return {
    ...(timeZone !== undefined && { timeZone }),
    ...(missed !== undefined && { missedFirePolicy: enumName('MISSED_FIRE_POLICY', missed) as MissedFirePolicy }),
    ...(overlap !== undefined && { overlapPolicy: enumName('OVERLAP_POLICY', overlap) as OverlapPolicy }),
    ...(jitter !== undefined && { jitter: duration(jitter) }),
  }
}
