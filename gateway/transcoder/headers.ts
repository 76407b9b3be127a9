/** HTTP headers ⇄ gRPC metadata. */
import type { IncomingHttpHeaders } from 'node:http'
import { Metadata } from '@grpc/grpc-js'
import { fieldViolation } from './errors.ts'

const prefix = 'grpc-metadata-'

// Hop-by-hop (RFC 9110), what HTTP/2 and gRPC own, and what proxies in front assert about the caller.
const reserved = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'content-type',
  'content-length',
  'user-agent',
  'authorization',
  'cookie',
  'date',
  'x-forwarded-client-cert',
])
const reservedPrefixes = ['grpc-', 'l5d-', ':']
const passedOn = ['traceparent', 'tracestate', 'baggage', 'x-request-id', 'accept-language'] as const

/** `Grpc-Metadata-X: y` as metadata `x: y`, and what traces a request. What is reserved is dropped silently. */
export function toMetadata(headers: IncomingHttpHeaders, alsoReserved: readonly string[]): Metadata {
  const metadata = new Metadata()
  for (const name of passedOn) {
    const value = headers[name]
    if (typeof value === 'string' && isAscii(value)) metadata.set(name, value)
  }
  for (const name in headers) {
    if (!name.startsWith(prefix)) continue
    const key = name.slice(prefix.length)
    if (!/^[0-9a-z_.-]+$/.test(key) || reserved.has(key)) continue
    if (reservedPrefixes.some((start) => key.startsWith(start)) || alsoReserved.some((start) => key.startsWith(start)))
      continue
    const value = String(headers[name])
    if (key.endsWith('-bin')) metadata.add(key, Buffer.from(value, 'base64'))
    else if (isAscii(value)) metadata.add(key, value)
  }
  return metadata
}

function isAscii(value: string): boolean {
  return /^[\x20-\x7e]*$/.test(value)
}

/** Metadata of an answer as `Grpc-Metadata-X` headers, without what belongs to gRPC. */
export function toHeaders(metadata: Metadata | undefined): Record<string, string> {
  const headers: Record<string, string> = {}
  if (metadata === undefined) return headers
  for (const [key, value] of Object.entries(metadata.getMap())) {
    if (reserved.has(key) || reservedPrefixes.some((start) => key.startsWith(start))) continue
    headers[`${prefix}${key}`] = typeof value === 'string' ? value : value.toString('base64')
  }
  return headers
}

const grpcUnits: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 }

/** How long the caller will wait, in ms: `Grpc-Timeout: 500m` or `Request-Timeout: 0.5` (seconds); undefined if it does not say. */
export function timeoutOf(headers: IncomingHttpHeaders): number | undefined {
  const grpc = headers['grpc-timeout']
  if (grpc !== undefined) {
    const match = /^(\d{1,8})([HMSmun])$/.exec(String(grpc))
    if (match === null) throw fieldViolation('Grpc-Timeout', 'expected digits and a unit, for example 500m or 5S')
    return Number(match[1]) * grpcUnits[match[2]!]!
  }
  const plain = headers['request-timeout']
  if (plain === undefined) return undefined
  const match = /^(\d{1,8}(?:\.\d{1,6})?)(s|ms)?$/.exec(String(plain))
  if (match === null) throw fieldViolation('Request-Timeout', 'expected seconds, for example 2.5')
  return Number(match[1]) * (match[2] === 'ms' ? 1 : 1000)
}
