/** The keys that encrypt what tasks carry, as an operator writes them; docs/encryption.md says how they are rotated. */
import type { Variable } from '@flowforge/runtime/config'
import type { MasterKey, PayloadKeys } from './engine/seal.ts'

const keyBytes = 32

/**
 * `id:base64` pairs separated by commas: the first key encrypts, all of them decrypt. The word `none` in the first
 * place encrypts nothing.
 */
export function payloadKeys(name: string): Variable<PayloadKeys | undefined> {
  return {
    name,
    default: undefined,
    optional: true,
    isSecret: true,
    example: '2026-a:$(openssl rand -base64 32)',
    parse: parsePayloadKeys,
  }
}

function parsePayloadKeys(text: string): PayloadKeys {
  const entries = text.split(',').map((entry) => entry.trim())
  const isSealing = entries[0] !== 'none'
  const all = (isSealing ? entries : entries.slice(1)).map(masterKeyOf)
  const ids = new Set(all.map(({ id }) => id))
  if (ids.size < all.length) throw new Error('have each key id once')
  return { sealing: isSealing ? all[0] : undefined, all }
}

function masterKeyOf(entry: string, i: number): MasterKey {
  const match = /^([A-Za-z0-9._-]{1,32}):([A-Za-z0-9+/]{43}=)$/.exec(entry)
  const key = Buffer.from(match?.[2] ?? '', 'base64')
  if (!match || key.length !== keyBytes)
    throw new Error(
      `be id:key pairs with 1 to 32 characters a-z A-Z 0-9 . _ - and ${keyBytes} bytes in base64 (pair ${i + 1} is not)`,
    )
  return { id: match[1]!, key }
}
