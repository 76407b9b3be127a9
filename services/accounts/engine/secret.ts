import { createHash, randomBytes } from 'node:crypto'

/** A new API key, and what is kept of it. */
export interface Secret {
  /** For the caller, once. */
  plaintext: string
  /** For the database. */
  hash: Buffer
  /** For people, who recognize the key by it. */
  prefix: string
}

/** Makes an API key from 256 random bits. */
export function createSecret(): Secret {
  const plaintext = `ff_${randomBytes(32).toString('base64url')}`
  return { plaintext, hash: hashSecret(plaintext), prefix: plaintext.slice(0, 9) }
}

/**
 * Hashes an API key for storing and looking up.
 *
 * A fast hash without salt is enough: nobody can enumerate 256 random bits, unlike a password.
 */
export function hashSecret(plaintext: string): Buffer {
  return createHash('sha256').update(plaintext).digest()
}
