/** The only way out of the worker: an undici agent that connects to checked addresses alone. */
import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { PermanentError } from '@flowforge/sdk'
import { Agent, buildConnector } from 'undici'
import { hostOf, isAddress, refusalOf, type AllowList } from './address-rules.ts'

/** A task asked for a destination that it may not reach. Trying again can't help. */
export class DestinationRefusedError extends PermanentError {
  override name = 'DestinationRefusedError'

  constructor(message: string) {
    super(message, { reason: 'DESTINATION_REFUSED' })
  }
}

export interface GuardedAgentOptions {
  allowed: AllowList
  connectionsPerHost: number
}

const connectMs = 10_000

/**
 * Builds an agent that resolves a name once, checks every address it resolved to, and connects to those.
 *
 * Between check and connect no other lookup happens, so a name that changes its mind (DNS rebinding) gains nothing.
 * One refused address among several refuses the name: a public service has no private address.
 */
export function guardedAgent({ allowed, connectionsPerHost }: GuardedAgentOptions): Agent {
  const guarded = buildConnector({ lookup: guardedLookup(allowed), timeout: connectMs })
  const trusted = buildConnector({ timeout: connectMs })
  return new Agent({
    connections: connectionsPerHost,
    connect(options, callback) {
      if (allowed.hosts.has(hostOf(options.hostname))) return trusted(options, callback)
      // No lookup happens for an address, so it is checked here.
      const refusal = isAddress(options.hostname) ? refusalOf(options.hostname, allowed) : undefined
      if (refusal) return callback(new DestinationRefusedError(refusal), null)
      return guarded(options, callback)
    },
  })
}

function guardedLookup(allowed: AllowList): LookupFunction {
  return (hostname, options: LookupOptions, callback) => {
    // Some resolvers do not know `localhost.`, which means the same and must be answered the same.
    const name = hostOf(hostname) === 'localhost' ? 'localhost' : hostname
    systemLookup(name, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error) return callback(error, [])
      const refusal = addresses.map(({ address }) => refusalOf(address, allowed)).find((reason) => reason !== undefined)
      if (refusal) return callback(refusedName(hostname, refusal), [])
      if (options.all) return callback(null, addresses)
      const [first] = addresses
      return callback(null, first?.address ?? '', first?.family)
    })
  }
}

function refusedName(hostname: string, refusal: string): Error {
  // The address itself stays untold: it would map the inside of a network for whoever submits tasks.
  return new DestinationRefusedError(`${hostname} leads to an address that ${refusal.slice(refusal.indexOf(' ') + 1)}`)
}
