import { PermanentError } from '@flowforge/sdk'
import { isAllowed, type AllowList } from './address-rules.ts'
import { DestinationRefusedError } from './guarded-agent.ts'

const lengthMax = 8_192

/**
 * Parses where a request goes, and refuses what its text alone shows to be wrong; addresses are checked at connect.
 *
 * Parsing also brings `http://2130706433`, `http://0x7f.1` and `http://0177.0.0.1` to the address they mean.
 */
export function parseDestination(text: string, allowed: AllowList, base?: URL): URL {
  const url = text.length <= lengthMax ? URL.parse(text, base?.href) : null
  if (!url) throw new PermanentError('the URL is malformed or too long', { reason: 'PAYLOAD_INVALID' })
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new DestinationRefusedError(`only http and https are allowed, not ${url.protocol}`)
  }
  // They would be logged and passed on with the URL; a header is not.
  if (url.username || url.password) throw new DestinationRefusedError('credentials belong in a header, not in the URL')
  if (isSystemPort(url.port) && !isAllowed(url.hostname, allowed))
    throw new DestinationRefusedError(`port ${url.port} is not one for HTTP`)
  url.hash = ''
  return url
}

/** Mail, shells and name servers listen there; speaking HTTP to them is a known way to make them do things. */
function isSystemPort(port: string): boolean {
  return port !== '' && Number(port) < 1_024 && port !== '80' && port !== '443'
}
