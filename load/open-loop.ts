import { setTimeout as delay } from 'node:timers/promises'

/** Arrivals that do not wait for answers. */
export interface Arrivals {
  /** A second; asked for again at each arrival, with the milliseconds since the beginning. */
  ratePerSecond: (elapsedMs: number) => number
  forMs: number
  signal?: AbortSignal
}

/**
 * Calls `arrive` at random moments with the given rate, as independent users would, until the time is over.
 *
 * An arrival is due whether earlier ones have been answered or not, so that a slow answer delays nobody else's question
 * and is not left out of the measurement. `dueAt` is on the clock of performance.now(); latencies count from it.
 */
export async function openLoop(
  { ratePerSecond, forMs, signal }: Arrivals,
  arrive: (index: number, dueAt: number) => void,
): Promise<number> {
  const startedAt = performance.now()
  let dueAt = startedAt
  let index = 0
  for (;;) {
    // Gaps of independent arrivals are exponentially distributed.
    dueAt += (-Math.log(1 - Math.random()) * 1_000) / ratePerSecond(dueAt - startedAt)
    if (dueAt - startedAt > forMs) break
    // A timer is late by up to some milliseconds; whatever has become due meanwhile arrives without waiting again.
    const waitMs = dueAt - performance.now()
    if (waitMs > 0) await delay(waitMs)
    if (signal?.aborted) return index
    arrive(index++, dueAt)
  }
  const leftMs = startedAt + forMs - performance.now()
  if (leftMs > 0) await delay(leftMs)
  return index
}
