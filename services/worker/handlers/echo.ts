import { setTimeout as sleep } from 'node:timers/promises'
import { PermanentError, type Handler } from '@flowforge/sdk'
import { optionalText, wholeNumber } from '../payload.ts'

/**
 * `echo`: returns its payload. Two fields make it useful for trying things out:
 * `sleep_ms` (0 to 3,600,000) waits first, and `fail` fails with that message,
 * for good if `permanent` is true.
 */
export const echo: Handler = async (task, { signal }) => {
  const payload = task.payload ?? {}
  const sleepMs = wholeNumber(payload, 'sleep_ms', { min: 0, max: 3_600_000, otherwise: 0 })
  const fail = optionalText(payload, 'fail')
  if (sleepMs > 0) await waitFor(sleepMs, signal)
  if (fail !== undefined) throw payload['permanent'] === true ? new PermanentError(fail) : new Error(fail)
  return payload
}

async function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {
    // Only the abort makes a timer reject; its reason says more than Node's AbortError.
    throw signal.reason
  })
}
