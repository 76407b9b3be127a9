import { Option, type Command } from 'commander'
import type { Client } from '@flowforge/sdk/client'
import type { NewTask, TaskResource, UniquePolicy } from '@flowforge/sdk/client-resources'
import { duration, enumName, instant, integer, label, payload, span } from '../arguments.ts'
import { withClient, type GlobalOptions } from '../connection.ts'
import { FailedError, UsageError } from '../exit.ts'
import { printOne, taskDetails, taskLine } from '../output.ts'

/** What the options say of the task to create, here or from a schedule. */
export interface TaskOptions {
  payload?: string
  queue?: string
  priority?: number
  label?: Record<string, string>
  attemptTimeout?: number
  maxAttempts?: number
  fairnessKey?: string
  concurrencyKey?: string
  uniqueKey?: string
  uniquePolicy?: string
}

interface SubmitOptions extends TaskOptions, GlobalOptions {
  scheduleTime?: string
  in?: number
  expireIn?: number
  requestId?: string
  wait?: boolean
}

/** Declares `flowforge submit`. */
export function addSubmit(program: Command): void {
  addTaskOptions(
    program.command('submit').description('Create a task.').argument('<type>', 'which handler runs it, such as echo'),
  )
    .option('--schedule-time <instant>', 'start no earlier than this, such as 2030-01-31T08:00:00Z', instant)
    .option('--in <span>', 'start this long from now, such as 10m', span)
    .option('--expire-in <span>', 'dead unless it was started this long from now, such as 1h', span)
    .option('--request-id <id>', 'creating twice with the same ID creates once')
    .option('--wait', 'follow the task to its end; exit code 1 unless it succeeded')
    .addHelpText(
      'after',
      '\nExample:\n  $ flowforge submit http.request --payload @request.json --in 10m --label customer=acme',
    )
    .action(async (type: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<SubmitOptions>()
      if (options.in !== undefined && options.scheduleTime)
        throw new UsageError('give --in or --schedule-time, not both')
      const scheduleTime =
        options.in === undefined ? options.scheduleTime : new Date(Date.now() + options.in).toISOString()
      const expireTime =
        options.expireIn === undefined ? undefined : new Date(Date.now() + options.expireIn).toISOString()
      const task = { ...newTask(type, options), scheduleTime, expireTime, requestId: options.requestId }
      await withClient(options, (client) => submit(client, task, options))
    })
}

/** Declares the options that describe a task. */
export function addTaskOptions(command: Command): Command {
  return command
    .option('--payload <json>', "the handler's input: JSON, @file, or - for standard input")
    .option('--queue <id>', 'where it waits (default: default)')
    .option('--priority <number>', '-100 to 100; higher runs first', integer)
    .option('--label <key=value>', 'may be repeated', label)
    .option('--attempt-timeout <span>', 'how long one attempt may run, such as 30s', span)
    .option('--max-attempts <number>', 'failed attempts after which it is dead', integer)
    .option('--fairness-key <key>', 'tasks with the same key share one turn')
    .option('--concurrency-key <key>', 'limits how many with the same key run at a time')
    .option('--unique-key <key>', 'at most one unfinished task of the queue has it')
    .addOption(
      new Option('--unique-policy <policy>', 'what a second one with the unique key meets (default: reject)').choices([
        'reject',
        'return-existing',
        'replace-pending',
      ]),
    )
}

/** The task that the options describe. */
export function newTask(type: string, options: TaskOptions): NewTask {
  const { queue, priority, fairnessKey, concurrencyKey, uniqueKey, maxAttempts, attemptTimeout } = options
  const task: NewTask = { type, queue, priority, fairnessKey, concurrencyKey, uniqueKey, labels: options.label }
  if (options.uniquePolicy !== undefined)
    task.uniquePolicy = enumName('UNIQUE_POLICY', options.uniquePolicy) as UniquePolicy
  if (options.payload !== undefined) task.payload = payload(options.payload)
  if (attemptTimeout !== undefined) task.attemptTimeout = duration(attemptTimeout)
  if (maxAttempts !== undefined) task.retryPolicy = { maxAttempts }
  return task
}

async function submit(client: Client, task: NewTask, { wait, json }: SubmitOptions): Promise<void> {
  const created = await client.createTask(task)
  if (!wait) return printOne(created, json, taskLine)
  let last: TaskResource = created
  for await (const current of client.watchTask(created.name)) last = current
  printOne(last, json, taskDetails)
  if (last.state !== 'TASK_STATE_SUCCEEDED') throw new FailedError(last.state)
}
