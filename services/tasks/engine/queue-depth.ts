/** How full queues are, as a metric. Read from the counts when it is scraped, so it costs nothing otherwise. */
import type { Logger } from '@flowforge/runtime/log'
import { Gauge, registry } from '@flowforge/runtime/metrics'
import type pg from 'pg'

/** Queues that are told apart, the fullest first; a label for each of thousands would drown whoever stores them. */
const queuesMax = 100

/** Registers the metric `queue_depth{project,queue,state}`. */
export function observeQueueDepth(pool: pg.Pool, log: Logger): void {
  const depth = new Gauge({
    name: 'queue_depth',
    help: 'Tasks by queue and state (scheduled, ready, running, dead); the 100 fullest queues.',
    labelNames: ['project', 'queue', 'state'],
    registers: [registry],
    async collect() {
      try {
        const rows = await depths(pool)
        depth.reset()
        for (const { project, name, ...counts } of rows)
          for (const [state, count] of Object.entries(counts)) depth.set({ project, queue: name, state }, count)
      } catch (error) {
        // The other metrics are wanted most when the database is away.
        log.warn({ err: error }, 'could not read how full the queues are')
      }
    },
  })
}

async function depths(pool: pg.Pool) {
  const { rows } = await pool.query<{
    project: string
    name: string
    scheduled: number
    ready: number
    running: number
    dead: number
  }>({
    name: 'queue-depths',
    text: `select project, name, sum(scheduled)::float8 as scheduled, sum(ready)::float8 as ready, sum(running)::float8 as running,
        sum(dead)::float8 as dead
      from tasks.queue join (
        select * from tasks.queue_count union all select * from tasks.queue_count_change
      ) as part on part.queue_id = queue.id
      group by queue.id order by sum(scheduled + ready + running) desc limit ${queuesMax}`,
  })
  return rows
}
