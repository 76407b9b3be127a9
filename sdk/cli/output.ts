import {
  isFinished,
  type QueueResource,
  type ScheduleResource,
  type TaskResource,
} from '@flowforge/sdk/client-resources'

/** Writes a line for the reader of the command's result. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Writes one object: as JSON for programs, else as `lines` shows it to people. */
export function printOne<T>(value: T, json: boolean | undefined, show: (value: T) => string): void {
  print(json ? JSON.stringify(value) : show(value))
}

/** Writes a list as it arrives: an object per line for programs, else a table whose columns fit its first page. */
export async function printList<T>(items: AsyncIterable<T>, json: boolean | undefined, row: Row<T>): Promise<void> {
  let widths: number[] | undefined
  let waiting: string[][] = [row.headings]
  const flush = () => {
    widths ??= row.headings.map((_, column) => Math.max(...waiting.map((cells) => cells[column]?.length ?? 0)))
    for (const cells of waiting)
      print(
        cells
          .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
          .join('  ')
          .trimEnd(),
      )
    waiting = []
  }
  for await (const item of items) {
    if (json) print(JSON.stringify(item))
    else if (waiting.push(row.cells(item)) > 50 || widths) flush()
  }
  if (!json) flush()
}

/** How an item of a list looks in a table. */
export interface Row<T> {
  headings: string[]
  cells(item: T): string[]
}

export const taskRow: Row<TaskResource> = {
  headings: ['ID', 'STATE', 'TYPE', 'QUEUE', 'ATTEMPTS', 'CREATED'],
  cells: (task) => [
    id(task.name),
    state(task),
    task.type,
    task.queue ?? 'default',
    String(task.attempts?.length ?? 0),
    task.createTime,
  ],
}

export const queueRow: Row<QueueResource> = {
  headings: ['QUEUE', 'SCHEDULED', 'READY', 'RUNNING', 'DEAD', ''],
  cells: (queue) => [
    id(queue.name),
    queue.scheduledCount ?? '0',
    queue.readyCount ?? '0',
    queue.runningCount ?? '0',
    queue.deadCount ?? '0',
    queue.paused ? 'paused' : '',
  ],
}

export const scheduleRow: Row<ScheduleResource> = {
  headings: ['SCHEDULE', 'CRON', 'TIME ZONE', 'TYPE', 'NEXT', 'LAST'],
  cells: (schedule) => [
    id(schedule.name),
    schedule.cron,
    schedule.timeZone || 'UTC',
    schedule.task.type,
    schedule.paused ? 'paused' : (schedule.nextFireTime ?? ''),
    schedule.lastFireTime ?? '',
  ],
}

/** A task in one line, as `submit` and `watch` show it. */
export function taskLine(task: TaskResource): string {
  const attempts = task.attempts?.length ?? 0
  const until = task.state === 'TASK_STATE_SCHEDULED' && task.scheduleTime ? ` until ${task.scheduleTime}` : ''
  const attempt = attempts > 0 ? `, attempt ${task.attempts?.at(-1)?.number ?? attempts}` : ''
  const isHeldBack = task.state === 'TASK_STATE_SCHEDULED' || task.state === 'TASK_STATE_DEAD'
  const error = isHeldBack && task.error?.message ? `: ${task.error.message}` : ''
  return `${task.name} ${state(task)}${until}${attempt}${error}`
}

/** A task with all that is known of it, for people. */
export function taskDetails(task: TaskResource): string {
  const {
    attempts = [],
    payload,
    result,
    progress,
    error,
    labels,
    name: _name,
    uid: _uid,
    state: _state,
    etag: _etag,
    ...rest
  } = task
  const lines = [taskLine(task)]
  for (const [key, value] of Object.entries({ ...rest, labels, payload, progress, result, error })) {
    if (value !== undefined)
      lines.push(`  ${key}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
  }
  for (const attempt of attempts) {
    const outcome = attempt.outcome?.replace('ATTEMPT_OUTCOME_', '') ?? 'RUNNING'
    const failure = attempt.error?.message ? `: ${attempt.error.message}` : ''
    lines.push(
      `  attempt ${attempt.number} by ${attempt.worker ?? '?'} since ${attempt.startTime ?? '?'} ${outcome}${failure}`,
    )
  }
  if (!isFinished(task) && task.cancelRequested) lines.push('  its cancellation is on the way')
  return lines.join('\n')
}

export function queueLine(queue: QueueResource): string {
  return `${queue.name} ${queue.paused ? 'paused' : 'running'}`
}

export function scheduleLine(schedule: ScheduleResource): string {
  const next = schedule.paused ? 'paused' : `next ${schedule.nextFireTime ?? 'never'}`
  return `${schedule.name} ${schedule.cron} ${schedule.timeZone || 'UTC'}, ${next}`
}

function state(task: TaskResource): string {
  return task.state.replace('TASK_STATE_', '')
}

function id(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1)
}
