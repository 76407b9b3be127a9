/** What every handler of this service works with. */
import type { Task } from '@flowforge/proto/opaque/flowforge/tasks/v1/task.ts'
import { notFound } from '@flowforge/runtime/status'
import type { Created } from '../engine/create.ts'
import type { Engine } from '../engine/engine.ts'
import { readTask, type TaskKey } from '../engine/read.ts'
import { isUnreadable, type SealedField, type Sealer } from '../engine/seal.ts'
import type { TaskRow } from '../tables.ts'
import { readablePayload } from './hide-secret.ts'
import { taskName } from './names.ts'
import { taskMessage } from './task-message.ts'

export interface Tasks {
  engine: Engine
  payloadBytesMax: number
}

/** The task; NOT_FOUND if there is none of that name. */
export async function taskByName({ engine }: Tasks, key: TaskKey, ifUnreadable?: IfUnreadable): Promise<Task> {
  const row = await readTask(engine.pool, key)
  if (!row) throw notFound(taskName(key))
  return messageOf(engine, row, ifUnreadable)
}

/**
 * What happens to a field that cannot be decrypted. Whoever asks for the task is refused with the reason; lists and
 * the answers to what has been done leave it out, for the rest of them stands.
 */
export type IfUnreadable = 'refuse' | 'omit'

/** The stored task as a message for whoever reads it; workers get theirs with the lease. */
export async function messageOf(engine: Engine, row: TaskRow, ifUnreadable: IfUnreadable = 'omit'): Promise<Task> {
  return readableMessage(opened(engine.sealer, row, ifUnreadable), (await engine.queues.byId(row.queue_id)).name)
}

/** What creating answers with, in the queue that was asked for. A new task's payload is in clear. */
export function messageOfCreated(engine: Engine, { row, isNew }: Created, queue: string): Task {
  return readableMessage(isNew ? row : opened(engine.sealer, row, 'omit'), queue)
}

function readableMessage(clear: TaskRow, queue: string): Task {
  const message = taskMessage(clear, queue)
  if (clear.payload) message.payload = readablePayload(clear.type, clear.payload)
  return message
}

function opened(sealer: Sealer, row: TaskRow, ifUnreadable: IfUnreadable): TaskRow {
  const open = <T extends Buffer | null | undefined>(field: SealedField, value: T): T | Buffer | null => {
    try {
      return sealer.open(field, row, value)
    } catch (error) {
      if (ifUnreadable === 'omit' && isUnreadable(error)) return null
      throw error
    }
  }
  return {
    ...row,
    payload: open('payload', row.payload),
    progress: open('progress', row.progress),
    result: open('result', row.result) ?? null,
  }
}
