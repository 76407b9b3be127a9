/** The tasks of a schedule: made from its template, for one of its times or for now. */
import { createHash, randomUUID } from 'node:crypto'
import { Task } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import { StatusError } from '@flowforge/runtime/status'
import type { Engine } from '../engine/engine.ts'
import type { Sealer } from '../engine/seal.ts'
import { checkTask } from '../rpc/check-task.ts'
import { storeTask } from '../rpc/create-task.ts'
import type { ScheduleRow } from '../tables.ts'

/** Creates a task from the schedule's template, beside its times. */
export function createForNow(engine: Engine, row: ScheduleRow): Promise<Task> {
  return create(engine, row, `run-${randomUUID()}`)
}

/**
 * Creates the task of a fire time unless the time has one, and answers with its name; undefined if it had one that is
 * gone.
 */
export async function createForTime(engine: Engine, row: ScheduleRow, fireTime: Date): Promise<string | undefined> {
  const scheduleTime = new Date(fireTime.getTime() + jitterMs(row, fireTime))
  try {
    return (await create(engine, row, requestIdOf(row, fireTime), scheduleTime)).name
  } catch (error) {
    if (error instanceof StatusError && error.reason === 'REQUEST_ID_USED') return undefined
    throw error
  }
}

/** The task to create; refused as `Sealer.open` does if it cannot be read. */
export function openTemplate(sealer: Sealer, row: ScheduleRow): Task {
  return Task.decode(sealer.open('template', row, row.template))
}

/** Makes a repeated create for the same time one create. */
export function requestIdOf(row: ScheduleRow, fireTime: Date): string {
  return `schedule-${row.id}-${fireTime.getTime()}`
}

/** The same for the same time, whoever asks. */
function jitterMs(row: ScheduleRow, fireTime: Date): number {
  if (row.jitter_ms === 0) return 0
  const hash = createHash('sha256').update(`${row.project}/${row.id}/${fireTime.getTime()}`).digest()
  return hash.readUInt32BE() % (row.jitter_ms + 1)
}

async function create(engine: Engine, row: ScheduleRow, requestId: string, scheduleTime?: Date): Promise<Task> {
  // The limit was checked when the template was stored.
  const checked = checkTask(row.project, { ...openTemplate(engine.sealer, row), scheduleTime }, requestId, Infinity, '')
  // The request ID alone decides what is the same task: the template may have changed since.
  const fingerprint = createHash('sha256').update(requestId).digest()
  return storeTask({ engine, payloadBytesMax: Infinity }, { ...checked, fingerprint })
}
