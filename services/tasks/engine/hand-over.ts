/** Tasks that are created as a worker's: what waits for nobody is not leased by a statement of its own. */
import type { Dispatcher, Taker } from './dispatcher.ts'
import { attemptTimeoutMsDefault, type LeasedRow } from './lease.ts'
import type { NewTask } from './create.ts'
import type { QueueCache } from './queue-cache.ts'
import { RUNNING } from './states.ts'
import type { TaskRow } from '../tables.ts'

/** The workers of this process, as whoever creates tasks sees them; see Dispatcher. */
export interface Workers {
  /** A worker's place, if the task may have it at once; it is kept until `free` or `handOver` is called. */
  reserve(task: NewTask): Taker | undefined
  /** The task was not created as the worker's. */
  free(taker: Taker): void
  /** Tasks of one queue were created as these workers'. */
  handOver(created: { taker: Taker; row: LeasedRow }[]): void
}

export function workersOf(dispatcher: Dispatcher, queues: QueueCache): Workers {
  return {
    reserve(task) {
      const queue = queues.known(task.queueId)
      return queue?.isPlain ? dispatcher.reserve(queue, task.type) : undefined
    },
    free: (taker) => dispatcher.free(taker),
    handOver: (created) => dispatcher.handOver(created),
  }
}

/** True if nothing of the task itself can keep it from being leased the moment it is created. */
export function isStartable(task: NewTask): boolean {
  return task.scheduleTime === null && task.expireTime === null && task.concurrencyKey === null && !task.isFair
}

/** The row of a task that was created as the taker's, from its row as it was created. */
export function leasedRowOf(row: TaskRow, { sessionId, worker }: Taker): LeasedRow {
  const lastsMs = row.attempt_timeout_ms ?? attemptTimeoutMsDefault
  return {
    ...row,
    state: RUNNING,
    attempt: 1,
    revision: row.revision + 1,
    session_id: String(sessionId),
    worker,
    start_time: row.create_time,
    attempt_start: row.create_time,
    lease_until: new Date(row.create_time.getTime() + lastsMs),
  }
}
