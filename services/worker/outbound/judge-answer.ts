import { PermanentError, RetryLaterError } from '@flowforge/sdk'
import type { HttpAnswer } from './http-client.ts'

const retryAfterMsMax = 3_600_000
const retriedRequestErrors = new Set([408, 425, 429])

/** Which answers are the sender's own fault, so that sending again can't help. */
export type IsPermanent = (status: number) => boolean

/** For plain requests: redirects that were not followed, and 4xx but for 408, 425 and 429. */
export const isRequestError: IsPermanent = (status) =>
  status >= 300 && status < 500 && !retriedRequestErrors.has(status)

/** Throws what an answer that is no success means for the task: permanent, later as the host asked, or after the backoff. */
export function throwFor(answer: HttpAnswer, isPermanent: IsPermanent): never {
  const { status } = answer
  const message = `the host answered ${status}`
  if (isPermanent(status)) throw new PermanentError(message, { reason: `HTTP_${status}` })
  const afterMs = status === 429 || status === 503 ? retryAfterMs(answer.headers['retry-after']) : undefined
  if (afterMs !== undefined) throw new RetryLaterError(afterMs, message, { reason: `HTTP_${status}` })
  throw new Error(message)
}

/** Reads Retry-After, as seconds or as a date; bounded to an hour. */
export function retryAfterMs(value: string | string[] | undefined): number | undefined {
  if (typeof value !== 'string') return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), retryAfterMsMax)
}
