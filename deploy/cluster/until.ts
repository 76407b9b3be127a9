import { setTimeout as delay } from 'node:timers/promises'

/** Polls until something holds; throws with the claim when it does not within the time. An error counts as not yet. */
export async function until(holds: () => Promise<boolean>, claim: string, timeoutMs: number): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs
  let reason = ''
  for (;;) {
    try {
      if (await holds()) return
      reason = ''
    } catch (error) {
      reason = `: ${(error as Error).message}`
    }
    if (performance.now() >= giveUpAt) throw new Error(`not true within ${timeoutMs / 1000} s: ${claim}${reason}`)
    await delay(500)
  }
}
