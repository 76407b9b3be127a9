import type { Finding } from '@flowforge/runtime/findings'
import { isSecret } from '../engine/secret.ts'

const urlLengthMax = 2_048
const listLengthMax = 100

/**
 * Judges where to deliver. A password in the URL is refused: it would be shown to everybody who may read
 * the subscription. Whether the address is a private one is judged when it is called, by what it resolves to then.
 */
export function urlFinding(field: string, text: string): Finding {
  if (text === '') return { field, description: 'is required' }
  if (text.length > urlLengthMax) return { field, description: `must be at most ${urlLengthMax} characters long` }
  const url = URL.parse(text)
  if (url === null || !/^https?:\/\/[^/]/i.test(text) || /[\s\p{Cc}]/u.test(text)) {
    return { field, description: 'must be an absolute http or https URL' }
  }
  if (url.username !== '' || url.password !== '') {
    return { field, description: 'must not contain a user name or password' }
  }
  return undefined
}

/** Judges which task types to tell. */
export function typesFinding(field: string, types: string[]): Finding {
  return listFinding(
    field,
    types,
    /^[a-zA-Z0-9._-]{1,128}$/,
    'must be 1 to 128 characters of a-z, A-Z, 0-9, ., _ and -',
  )
}

/** Judges which queues to tell. */
export function queuesFinding(field: string, queues: string[]): Finding {
  return listFinding(field, queues, /^[a-z0-9-]{1,63}$/, 'must be 1 to 63 characters of a-z, 0-9 and -')
}

/** Judges a signing secret; empty asks for one to be made. The finding never repeats it. */
export function secretFinding(field: string, secret: string): Finding {
  if (secret === '' || isSecret(secret)) return undefined
  return { field, description: 'must be whsec_ and the base64 of 24 to 64 bytes' }
}

function listFinding(field: string, words: string[], pattern: RegExp, description: string): Finding {
  if (words.length > listLengthMax) return { field, description: `must have at most ${listLengthMax} entries` }
  const wrong = words.findIndex((word) => !pattern.test(word))
  return wrong < 0 ? undefined : { field: `${field}[${wrong}]`, description }
}
