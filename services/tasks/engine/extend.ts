/** Extending unary leases, and storing progress: what a running attempt may do beside ending. */
import type pg from 'pg'
import { attemptTimeoutMsDefault } from './lease.ts'
import { leaseColumns, leaseId, stillHolds, type LeaseKey } from './fence.ts'

export interface Extended {
  leaseUntil: Date
  cancelRequested: boolean
}

/** Extends each lease that still holds to `leaseMs` from now, but not beyond its attempt's timeout; undefined for the others. */
export async function extendLeases(
  pool: pg.Pool,
  leases: LeaseKey[],
  leaseMs: number,
): Promise<(Extended | undefined)[]> {
  const { rows } = await pool.query({
    name: 'extend-leases',
    text: `update tasks.task set lease_until = least(
          tasks.now() + make_interval(secs => $5 / 1000.0),
          task.attempt_start + make_interval(secs => coalesce(task.attempt_timeout_ms, ${attemptTimeoutMsDefault}) / 1000.0))
      from (
        select * from unnest($1::text[], $2::uuid[], $3::integer[], $4::bigint[]) as lease(project, id, attempt, session_id)
        limit (select cardinality($2::uuid[]))) as lease
      where ${stillHolds('lease')}
      returning task.id, task.attempt, task.session_id, task.lease_until, task.cancel_requested`,
    values: [...leaseColumns(leases), leaseMs],
  })
  const extended = new Map(
    rows.map((row) => [rowLeaseId(row), { leaseUntil: row.lease_until, cancelRequested: row.cancel_requested }]),
  )
  return leases.map((lease) => extended.get(leaseId(lease)))
}

export interface Progress extends LeaseKey {
  progress: Uint8Array | null
}

/** Stores progress for each lease that still holds and answers whether the attempt should stop; undefined for the others. */
export async function storeProgress(pool: pg.Pool, reports: Progress[]): Promise<(boolean | undefined)[]> {
  const { rows } = await pool.query({
    name: 'store-progress',
    text: `update tasks.task set progress = report.progress, revision = task.revision + 1
      from (
        select * from unnest($1::text[], $2::uuid[], $3::integer[], $4::bigint[], $5::bytea[]) as report(project, id, attempt, session_id, progress)
        limit (select cardinality($2::uuid[]))) as report
      where ${stillHolds('report')}
      returning task.id, task.attempt, task.session_id, task.cancel_requested`,
    values: [...leaseColumns(reports), reports.map((report) => report.progress)],
  })
  const stored = new Map(rows.map((row) => [rowLeaseId(row), row.cancel_requested as boolean]))
  return reports.map((report) => stored.get(leaseId(report)))
}

function rowLeaseId(row: { id: string; attempt: number; session_id: string }): string {
  return leaseId({ id: row.id, attempt: row.attempt, sessionId: row.session_id })
}
