/** What a failed attempt says about the upstream. */
import { status, type ServiceError } from '@grpc/grpc-js'
import { isUnsent } from '@flowforge/grpc/unary/unsent'
import { hasStatusDetails } from './status.ts'

const alwaysFaults = new Set<number>([status.UNAVAILABLE, status.UNKNOWN, status.DATA_LOSS])
/**
 * Whether a failure counts against the upstream. What a caller brings upon itself never does: a refusal, an invalid
 * request, a deadline shorter than the policy's, or a bug that its request runs into, which the upstream answers as
 * INTERNAL with details. Nor does a missing connection, which the channel itself waits out: it would only be left alone
 * for longer than it is away.
 */
export function isFault(error: ServiceError, hadFullTime: boolean): boolean {
  if (isUnsent(error)) return false
  if (error.code === status.DEADLINE_EXCEEDED) return hadFullTime
  if (error.code === status.INTERNAL) return !hasStatusDetails(error)
  return alwaysFaults.has(error.code)
}
