import { setTimeout as pause } from 'node:timers/promises'

const deadlineMs = 20_000

/** Resolves with the first truthy answer of `condition`, asking again every few milliseconds; rejects after 20 s. */
export async function until<T>(condition: () => T | Promise<T>): Promise<NonNullable<T>> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const answer = await condition()
    if (answer) return answer
    if (performance.now() > deadline) throw new Error(`did not come true within ${deadlineMs} ms`)
    await pause(10)
  }
}
