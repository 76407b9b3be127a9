/** What a lease proves, and what to tell somebody whose lease proves nothing any more. */
import { failedPrecondition, notFound, type StatusError } from '@flowforge/runtime/status'
import type pg from 'pg'
import type { TaskRow } from '../tables.ts'
import { int4Array, int8Array, textArray, uuidArray } from './binary-array.ts'
import { readTasks } from './read.ts'
import { isTaskOf } from './same-task.ts'
import { Outcome, RUNNING, SUCCEEDED } from './states.ts'

/** The right to run one attempt; all four are compared in SQL by whatever touches a running task. */
export interface LeaseKey {
  project: string
  id: string
  attempt: number
  sessionId: bigint
}

/** The lease that a row of a running task names. */
export function leaseOf(row: { project: string; id: string; attempt: number; session_id: string | null }): LeaseKey {
  return { project: row.project, id: row.id, attempt: row.attempt, sessionId: BigInt(row.session_id!) }
}

/** A lease as one string, unique among all leases ever given. */
export function leaseId(lease: { id: string; attempt: number; sessionId: bigint | string }): string {
  return `${lease.id}/${lease.attempt}/${lease.sessionId}`
}

/**
 * SQL that is true if `tasks.task` is still under the lease that this row names. The sums, and a limit that the planner
 * does not know where the leases come from, keep it from looking through all leases, of the session or of all, for each:
 * it looks tasks up one by one, by the primary key.
 */
export function stillHolds(lease: string): string {
  return `${isTaskOf(lease)} and task.state + 0 = 3
    and task.attempt = ${lease}.attempt and task.session_id + 0 = ${lease}.session_id`
}

/** The leases as parameters: text[], uuid[], integer[] and bigint[]. */
export function leaseColumns(leases: LeaseKey[]): (Buffer | null)[] {
  return [
    textArray(leases, (lease) => lease.project),
    uuidArray(leases, (lease) => lease.id),
    int4Array(leases, (lease) => lease.attempt),
    int8Array(leases, (lease) => lease.sessionId),
  ]
}

export function leaseLost(lease: LeaseKey): StatusError {
  return failedPrecondition(
    'LEASE_LOST',
    `attempt ${lease.attempt} of projects/${lease.project}/tasks/${lease.id} no longer holds the lease`,
  )
}

/**
 * For leases that a fenced write did not find: undefined where the same outcome had been accepted before, so that a
 * repeat is answered alike, and else why it is refused.
 *
 * @param outcomes The attempt outcomes that count as the same, by lease.
 */
export async function judgeRefused(
  pool: pg.Pool,
  leases: LeaseKey[],
  outcomes: number[],
): Promise<(StatusError | undefined)[]> {
  const rows = new Map((await readTasks(pool, leases)).map((row) => [row.id, row]))
  return leases.map((lease, i) => {
    const row = rows.get(lease.id)
    if (!row || row.project !== lease.project) return notFound(`projects/${lease.project}/tasks/${lease.id}`)
    return wasAccepted(row, lease, outcomes[i]!) ? undefined : leaseLost(lease)
  })
}

function wasAccepted(row: TaskRow, lease: LeaseKey, outcome: number): boolean {
  if (row.state === RUNNING || row.attempt !== lease.attempt || row.session_id !== String(lease.sessionId)) return false
  if (row.state === SUCCEEDED) return outcome === Outcome.succeeded
  return row.attempts.at(-1)?.number === lease.attempt && row.attempts.at(-1)?.outcome === outcome
}
