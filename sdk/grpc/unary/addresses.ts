/** Where a service answers: the addresses that a target names. */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { splitAddress } from '../split-address.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** A target that is understood: whom to resolve. */
export interface Target {
  /** For `:authority`. */
  readonly authority: string
  /** All addresses at this moment; rejects when the name cannot be resolved. */
  resolve(): Promise<Address[]>
  /** Whether another question may have another answer. */
  readonly mayChange: boolean
}

/** Reads `host:port`, `dns:///host:port` or `ipv4:address:port,address:port`; throws on anything else. */
export function readTarget(target: string): Target {
  if (/^ipv[46]:/.test(target)) {
    const addresses = target.slice('ipv4:'.length).split(',').map(splitAddress)
    return { authority: 'localhost', resolve: async () => addresses, mayChange: false }
  }
  const authority = target.replace(/^dns:(?:\/\/[^/]*\/)?/, '')
  const { host, port } = splitAddress(authority)
  if (isIP(host) !== 0) return { authority, resolve: async () => [{ host, port }], mayChange: false }
  return {
    authority,
    mayChange: true,
    async resolve() {
      const found = await lookup(host, { all: true })
      return found.map(({ address }) => ({ host: address, port }))
    },
  }
}
