import { equal } from 'node:assert/strict'
import { StatusError } from '@flowforge/runtime/status'

/** Expects a refusal with this reason, and answers with it. */
export async function rejectsWith(reason: string, call: Promise<unknown>): Promise<StatusError> {
  try {
    await call
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    equal(error.reason, reason, error.message)
    return error
  }
  throw new Error(`expected a refusal with ${reason}`)
}
