/**
 * Which network addresses a task may reach: public ones, and what the operator allows.
 *
 * A task's URL comes from whoever may submit tasks. Without these rules the worker would fetch for them what only the
 * worker can reach: its cloud's metadata, its pod's localhost, the cluster's services.
 */
import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** What the operator allows: names as they stand in a URL, and ranges of addresses. */
export interface AllowList {
  hosts: Set<string>
  ranges: [Address, number][]
}

/** Reads entries such as `receiver.internal`, `10.1.2.3` and `10.0.0.0/8`. Throws for one that is none of these. */
export function parseAllowList(entries: string[]): AllowList {
  const list: AllowList = { hosts: new Set(), ranges: [] }
  for (const entry of entries) {
    if (ipaddr.isValidCIDR(entry)) list.ranges.push(ipaddr.parseCIDR(entry))
    else if (isAddress(entry)) list.ranges.push([parse(entry), parse(entry).kind() === 'ipv4' ? 32 : 128])
    else if (/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(entry)) list.hosts.add(entry.toLowerCase())
    else throw new Error(`'${entry}' is neither a host name, an address nor a CIDR range`)
  }
  return list
}

/** True for IPv4 and IPv6 literals, IPv6 with or without brackets. */
export function isAddress(host: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(bare(host)) || ipaddr.IPv6.isValid(bare(host))
}

/** True for a host that the operator allows, as it stands in a URL. */
export function isAllowed(hostname: string, allowed: AllowList): boolean {
  if (allowed.hosts.has(hostOf(hostname))) return true
  return isAddress(hostname) && isInRanges(parse(hostname), allowed)
}

/** A host name as it is compared: lower case, without the dot of the root. */
export function hostOf(hostname: string): string {
  return hostname.toLowerCase().replace(/\.$/, '')
}

// Public by its number, but only a virtual machine's own host answers there.
const azureMetadata = '168.63.129.16'

/**
 * Says why an address must not be reached, or nothing if it may be.
 *
 * Only global unicast addresses pass. Forms that carry an IPv4 address inside an IPv6 one (mapped, 6to4, NAT64,
 * Teredo) are refused whatever they carry, since who routes them decides where they lead.
 */
export function refusalOf(address: string, allowed: AllowList): string | undefined {
  const parsed = parse(address)
  if (isInRanges(parsed, allowed)) return undefined
  const range = parsed.range()
  if (range !== 'unicast') return `${bare(address)} is not public (${range})`
  return parsed.toString() === azureMetadata ? `${bare(address)} is a metadata service` : undefined
}

function isInRanges(address: Address, { ranges }: AllowList): boolean {
  return ranges.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits))
}

function parse(address: string): Address {
  return ipaddr.parse(bare(address))
}

function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}
