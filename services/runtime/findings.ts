/** Judgements of the fields of a request, collected so that a caller learns all of them at once. */
import { invalidArgument, type FieldViolation } from './status.ts'

/** What is wrong with a field, or undefined if nothing is. */
export type Finding = FieldViolation | undefined

/** Refuses as INVALID_ARGUMENT with every finding, so that a caller can mend all of them at once. */
export function check(...findings: Finding[]): void {
  const violations = findings.filter((finding) => finding !== undefined)
  if (violations.length > 0) throw invalidArgument(violations)
}

/** Answers a message that the request must have, or refuses. */
export function required<T>(field: string, message: T | undefined): T {
  if (message === undefined) throw invalidArgument({ field, description: 'is required' })
  return message
}

/** Judges an id that the caller chooses. */
export function idFinding(field: string, id: string): Finding {
  if (/^[a-z0-9-]{1,63}$/.test(id)) return undefined
  return { field, description: 'must be 1 to 63 characters of a-z, 0-9 and -' }
}
