import { setTimeout as delay } from 'node:timers/promises'
import { FlowForgeError } from './client-error.ts'

const attemptsMax = 4
const retryAfterMsMax = 10_000

/**
 * Makes a call again when that is safe and may help, at most four times in all.
 *
 * A call that may be repeated is, if it got no answer or `UNAVAILABLE`. Any other is repeated only if nothing was done
 * for certain: no connection came about, or the server limited the rate and said when to come back.
 */
export async function withRetry<T>(
  isIdempotent: boolean,
  signal: AbortSignal | undefined,
  call: (attempt: number) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call(attempt)
    } catch (error) {
      if (attempt === attemptsMax || !isWorthRepeating(error, isIdempotent)) throw error
      await backoff(attempt, signal, (error as FlowForgeError).retryAfterMs)
    }
  }
}

/** Waits before repetition number `attempt`: a random part of 0.1 s doubled each time, or what the server asked for. */
export async function backoff(attempt: number, signal?: AbortSignal, retryAfterMs = 0): Promise<void> {
  const jittered = Math.random() * Math.min(2_000, 100 * 2 ** (attempt - 1))
  await delay(retryAfterMs + jittered, undefined, { signal })
}

function isWorthRepeating(error: unknown, isIdempotent: boolean): boolean {
  if (!(error instanceof FlowForgeError) || (error.retryAfterMs ?? 0) > retryAfterMsMax) return false
  if (error.status === 'RESOURCE_EXHAUSTED') return error.retryAfterMs !== undefined
  return error.status === 'UNAVAILABLE' && (isIdempotent || isNeverSent(error))
}

function isNeverSent(error: FlowForgeError): boolean {
  const code = (error.cause as NodeJS.ErrnoException | undefined)?.code
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EAI_AGAIN'
}
