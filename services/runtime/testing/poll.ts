import { setTimeout as pause } from 'node:timers/promises'

/**
 * Resolves with the first truthy answer of `condition`, asking again every few milliseconds.
 *
 * Rejects at the deadline; a condition that throws counts as not yet, and its last error is told then.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { deadlineMs = 20_000, everyMs = 10 } = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + deadlineMs
  let cause: unknown
  for (;;) {
    try {
      const answer = await condition()
      if (answer) return answer
      cause = undefined
    } catch (error) {
      cause = error
    }
    if (performance.now() > deadline) throw new Error(`did not come true within ${deadlineMs} ms`, { cause })
    await pause(everyMs)
  }
}
