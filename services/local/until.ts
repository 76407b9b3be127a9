import { setTimeout as delay } from 'node:timers/promises'

/**
 * Asks again and again until the answer is yes, at most for `withinMs`; tells whether it was.
 *
 * An aborted `signal` ends the waiting with no.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs: number,
  options: { everyMs?: number; signal?: AbortSignal | undefined } = {},
): Promise<boolean> {
  const deadline = performance.now() + withinMs
  for (;;) {
    if (options.signal?.aborted) return false
    if (await condition()) return true
    if (performance.now() >= deadline) return false
    await delay(options.everyMs ?? 25)
  }
}
