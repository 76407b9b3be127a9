/** Leased tasks on their way to a worker: what they carry is opened, and those that cannot be opened are told apart. */
import { Status } from '@flowforge/proto/google/rpc/status.ts'
import { toRpcStatus } from '@flowforge/runtime/status'
import { leaseOf } from './fence.ts'
import type { LeasedRow } from './lease.ts'
import { isUnreadable, type Sealer } from './seal.ts'
import type { Ending } from './settle.ts'
import { Outcome } from './states.ts'

/** The rows in clear, and for each that cannot be read the failure that ends it. */
export function openLeased(sealer: Sealer, rows: LeasedRow[]): { readable: LeasedRow[]; unreadable: Ending[] } {
  const readable: LeasedRow[] = []
  const unreadable: Ending[] = []
  for (const row of rows) {
    try {
      const payload = sealer.open('payload', row, row.payload)
      const progress = sealer.open('progress', row, row.progress)
      readable.push(payload === row.payload && progress === row.progress ? row : { ...row, payload, progress })
    } catch (error) {
      if (!isUnreadable(error)) throw error
      unreadable.push(failureOf(row, error))
    }
  }
  return { readable, unreadable }
}

function failureOf(row: LeasedRow, error: unknown): Ending {
  const status = toRpcStatus(error)
  return {
    ...leaseOf(row),
    outcome: Outcome.failed,
    error: Status.encode(status).finish(),
    code: status.code,
    message: status.message,
    isPermanent: true,
    delayMs: null,
  }
}
