import type { Finding } from '@flowforge/runtime/findings'

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
