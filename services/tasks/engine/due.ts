/** Asks whether there is anything to keep up at all: one statement a second is what an idle instance costs. */
import type pg from 'pg'
import { isPromotable } from './promote.ts'
import { readyQueuesQuery } from './queues.ts'
import { isScheduleDue } from './schedules.ts'
import { isOrphaned } from './sweep.ts'

export interface Due {
  /** A lease, a session or a task that nobody started ran out of time. */
  isOverdue: boolean
  /** Some queue lets waiting tasks age. */
  isAgeing: boolean
  /** Counts changed. */
  isCounted: boolean
  /** A SCHEDULED task's time has come; nobody may have been told of it. */
  isTaskDue: boolean
  /** A schedule's time has come; likewise. */
  isScheduleDue: boolean
}

export async function whatIsDue(pool: pg.Pool): Promise<Due> {
  const { rows } = await pool.query<Due>({
    name: 'what-is-due',
    text: `select
        exists (select from tasks.task where state = 3 and lease_until <= tasks.now())
          or exists (select from tasks.session where expire_time <= tasks.now())
          or exists (select from tasks.task where state < 3 and start_time is null and expire_time <= tasks.now()) as "isOverdue",
        exists (select from tasks.queue where ageing is not null) as "isAgeing",
        exists (select from tasks.queue_count_change) as "isCounted",
        exists (select from tasks.task where ${isPromotable}) as "isTaskDue",
        exists (select from tasks.schedule where ${isScheduleDue}) as "isScheduleDue"`,
  })
  return rows[0]!
}

/** What nobody was told of. */
export interface Forgotten {
  /** Queues in which a task is READY; a wake-up may have been lost. */
  queueIds: number[]
  /** A lease was given to a session in the moment in which it ended. */
  isOrphaned: boolean
}

/** Looks under the safety nets, all at once. Looks at all that run: not every second. */
export async function whatIsForgotten(pool: pg.Pool): Promise<Forgotten> {
  const { rows } = await pool.query({
    name: 'what-is-forgotten',
    text: `select
        array(${readyQueuesQuery}) as "queueIds",
        exists (select from tasks.task where ${isOrphaned}) as "isOrphaned"`,
  })
  return rows[0]!
}
