import { randomBytes } from 'node:crypto'

const prefix = 'whsec_'

/** Makes a signing secret of Standard Webhooks from 256 random bits. */
export function createSecret(): string {
  return prefix + randomBytes(32).toString('base64')
}

/** Whether a text is a signing secret of Standard Webhooks: `whsec_` and the base64 of 24 to 64 bytes. */
export function isSecret(text: string): boolean {
  if (!text.startsWith(prefix)) return false
  const encoded = text.slice(prefix.length)
  const key = Buffer.from(encoded, 'base64')
  // Decoding skips what is not base64, so only what encodes back to itself was base64.
  return key.toString('base64') === encoded && key.length >= 24 && key.length <= 64
}
