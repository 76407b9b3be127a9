/** Whose request it is, by network address, when proxies may stand in between. */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

/** An address, or all that begin like it. */
export interface AddressRange {
  readonly address: string
  readonly family: 'ipv4' | 'ipv6'
  /** How many bits of the address count. */
  readonly bits: number
}

/** Reads `address` or `address/bits`; undefined if it is neither. */
export function readRange(text: string): AddressRange | undefined {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const version = isIP(address)
  const bitsMax = version === 6 ? 128 : 32
  const range = { address, family: version === 6 ? 'ipv6' : 'ipv4', bits: Number(bits ?? bitsMax) } as const
  return version === 0 || range.bits > bitsMax ? undefined : range
}

/** Addresses of proxies, whose `X-Forwarded-*` headers are believed. */
export class TrustedProxies {
  readonly #list = new BlockList()
  readonly #isEmpty: boolean

  constructor(ranges: readonly AddressRange[]) {
    this.#isEmpty = ranges.length === 0
    for (const { address, bits, family } of ranges) this.#list.addSubnet(address, bits, family)
  }

  /** The address that the nearest proxy of ours saw: the last one in `X-Forwarded-For` that is not itself a proxy of ours. */
  clientOf(request: IncomingMessage): string {
    let address = plain(request.socket.remoteAddress ?? '')
    if (!this.#has(address)) return address
    const forwarded = String(request.headers['x-forwarded-for'] ?? '').split(',')
    for (const hop of forwarded.reverse()) {
      const next = plain(hop.trim())
      if (isIP(next) === 0) return address
      address = next
      if (!this.#has(address)) return address
    }
    return address
  }

  /** Whether the caller came by TLS, to us or to a proxy of ours. */
  isSecure(request: IncomingMessage): boolean {
    if ('encrypted' in request.socket) return true
    return request.headers['x-forwarded-proto'] === 'https' && this.#has(plain(request.socket.remoteAddress ?? ''))
  }

  #has(address: string): boolean {
    if (this.#isEmpty) return false
    const version = isIP(address)
    return version !== 0 && this.#list.check(address, version === 6 ? 'ipv6' : 'ipv4')
  }
}

/** An IPv4 address as such, also when a socket of both families shows it as `::ffff:1.2.3.4`. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address
}

/** Whoever has an IPv6 address has its whole /64, so that is what is limited. */
export function limitedAddress(address: string): string {
  if (isIP(address) !== 6) return address
  const [head = '', tail = ''] = address.split('::')
  const front = head.split(':').filter((part) => part !== '')
  const back = tail.split(':').filter((part) => part !== '')
  const zeros = address.includes('::')
    ? Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => '0')
    : []
  return `${[...front, ...zeros, ...back].slice(0, 4).join(':')}::/64`
}
