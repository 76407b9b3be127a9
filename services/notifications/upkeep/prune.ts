import type { Logger } from '@flowforge/runtime/log'
import { pruneDeliveries } from '../engine/deliveries.ts'
import type { NotificationsDatabase } from '../tables.ts'
import { pause, type Term } from './lead.ts'

const everyMs = 600_000
const batchMax = 1_000

/** Forgets deliveries after `retentionMs`, a batch at a time, so that their record does not grow without bound. */
export async function prune(
  options: { db: NotificationsDatabase; retentionMs: number; log: Logger },
  term: Term,
): Promise<void> {
  while (!term.signal.aborted) {
    try {
      let forgotten: number
      do forgotten = await pruneDeliveries(options.db, options.retentionMs, batchMax)
      while (forgotten === batchMax && !term.signal.aborted)
    } catch (error) {
      options.log.warn({ err: error }, 'old deliveries could not be removed; trying again later')
    }
    await pause(everyMs, term.signal)
  }
}
