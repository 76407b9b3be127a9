import { ConfigError } from './config.ts'

/** One line for an address that cannot be listened on; anything else stays what it is. */
export function listenError(address: string, error: Error): Error {
  const { message } = error
  if (message.includes('EADDRINUSE')) return new ConfigError(`cannot listen on ${address}: another process does`)
  if (message.includes('EACCES')) return new ConfigError(`cannot listen on ${address}: not permitted`)
  if (message.includes('EADDRNOTAVAIL'))
    return new ConfigError(`cannot listen on ${address}: not an address of this machine`)
  return error
}
