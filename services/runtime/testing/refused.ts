import { rejects } from 'node:assert/strict'
import { codeName, StatusError } from '../status.ts'

/** Sees a call refused with this code, and with these violated fields if there are any. */
export async function refused(code: string, call: Promise<unknown>, ...fields: string[]): Promise<void> {
  await rejects(call, (error: unknown) => {
    if (!(error instanceof StatusError)) return false
    const told = error.details.flatMap((detail) =>
      detail.type === 'google.rpc.BadRequest' ? detail.value.fieldViolations.map(({ field }) => field) : [],
    )
    if (codeName(error.code) === code && told.join() === fields.join()) return true
    throw new Error(
      `expected ${code} [${fields.join()}], got ${codeName(error.code)} [${told.join()}]: ${error.message}`,
    )
  })
}
