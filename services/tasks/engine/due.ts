/** Asks whether there is anything to keep up at all: one statement a second is what an idle instance costs. */
import type pg from 'pg'

export interface Due {
  /** A lease, a session or a task that nobody started ran out of time. */
  isOverdue: boolean
  /** Some queue lets waiting tasks age. */
  isAgeing: boolean
  /** Counts changed. */
  isCounted: boolean
}

export async function whatIsDue(pool: pg.Pool): Promise<Due> {
  const { rows } = await pool.query<Due>({
    name: 'what-is-due',
    text: `select
        exists (select from tasks.task where state = 3 and lease_until <= tasks.now())
          or exists (select from tasks.session where expire_time <= tasks.now())
          or exists (select from tasks.task where state < 3 and start_time is null and expire_time <= tasks.now()) as "isOverdue",
        exists (select from tasks.queue where ageing is not null) as "isAgeing",
        exists (select from tasks.queue_count_change) as "isCounted"`,
  })
  return rows[0]!
}
