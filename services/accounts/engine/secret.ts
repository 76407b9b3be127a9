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
  return secretOf(`ff_${randomBytes(32).toString('base64url')}`)
}

/** An API key that somebody else made; throws unless it looks like one of ours, since a shorter one could be guessed. */
export function givenSecret(plaintext: string): Secret {
  if (!/^ff_[\w-]{43}$/.test(plaintext)) throw new Error('an API key is ff_ and 256 random bits in base64url')
  return secretOf(plaintext)
}

function secretOf(plaintext: string): Secret {
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
