/** Daily partitions of the finished tasks, by the day on which they may be forgotten: made ahead, and dropped whole. */
import { isConflict } from '@flowforge/runtime/sqlstate'
import type pg from 'pg'

/** Makes the partitions that finishing tasks need today and in the next two days, for every retention in use. */
export async function ensurePartitions(pool: pg.Pool): Promise<void> {
  await pool.query(`select tasks.ensure_partition(tasks.now() + retention + day * interval '1 day')
    from (select distinct retention from tasks.queue union select interval '14 days') as used cross join generate_series(0, 2) as day`)
}

/** Drops the partitions whose day is over; true if some are left, because others were in the way. */
export async function dropExpiredPartitions(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query(`
    select child.relname as name from pg_inherits join pg_class child on child.oid = inhrelid
    where inhparent = 'tasks.finished_task'::regclass and child.relname ~ '^finished_task_[0-9]{8}$'
      and right(child.relname, 8) < to_char(tasks.now() at time zone 'UTC', 'YYYYMMDD')`)
  let isLeft = false
  for (const { name } of rows) {
    try {
      await dropPartition(pool, name)
    } catch (error) {
      if (!isConflict(error)) throw error
      isLeft = true
    }
  }
  await pool.query(`delete from tasks.finished_task_default where retain_until <= tasks.now()`)
  return isLeft
}

async function dropPartition(pool: pg.Pool, name: string): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    // Rather later than in the way of others: they wait behind whoever waits for this lock, and then for the drop itself.
    await client.query(`set local lock_timeout = '50ms'`)
    // Counting a large partition takes long: meanwhile only its own rows may not change, which are over anyway.
    await client.query(`lock table tasks.${name} in share row exclusive mode`)
    await client.query(`insert into tasks.queue_count_change
      select queue_id, 0, 0, 0, -count(*) from tasks.${name} where state = 6 group by queue_id`)
    await client.query(`lock table tasks.finished_task in access exclusive mode`)
    await client.query(`drop table if exists tasks.${name}`)
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
}
