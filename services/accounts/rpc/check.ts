import { invalidArgument, type FieldViolation } from '@flowforge/runtime/status'

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

/** Judges a text for people. */
export function displayNameFinding(field: string, text: string): Finding {
  if (Array.from(text).length > 255) return { field, description: 'must be at most 255 characters long' }
  if (/\p{Cc}/u.test(text)) return { field, description: 'must not contain control characters' }
  return undefined
}

/** Judges an email address: its shape only, for whether it works is seen when a mail is sent. */
export function emailFinding(field: string, email: string): Finding {
  if (email === '') return { field, description: 'is required' }
  if (email.length <= 254 && /^[^\s@\p{Cc}]{1,64}@[^\s@\p{Cc}.]+(\.[^\s@\p{Cc}.]+)*$/u.test(email)) return undefined
  return { field, description: 'must be an email address' }
}
