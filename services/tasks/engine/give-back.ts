/** Puts back leases that reached nobody, for other workers to have now and not when they expire. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@flowforge/runtime/log'
import { isTransient } from '@flowforge/runtime/sqlstate'
import { StatusError } from '@flowforge/runtime/status'
import type { LeaseKey } from './fence.ts'
import { released, type Ending } from './settle.ts'

const retryMs = 1_000
/** A minute, in which most databases come back; whoever sweeps finds the rest when they expire. */
const triesMax = 60

/** Releases the lease if it holds; that it ended in another way, or was never given, is as good. */
export async function giveBackLease(
  lease: LeaseKey,
  settle: (ending: Ending) => Promise<unknown>,
  log: Logger,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await settle(released(lease))
      return
    } catch (error) {
      if (error instanceof StatusError && error.reason !== 'OVERLOADED') return
      if (tries === triesMax || !(isTransient(error) || error instanceof StatusError)) {
        log.warn({ err: error }, 'could not give back a lease')
        return
      }
    }
    await sleep(retryMs, undefined, { ref: false })
  }
}
