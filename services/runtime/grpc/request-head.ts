/** What a request's headers say, checked as RFC 9113 (8.2, 8.3) and gRPC's PROTOCOL-HTTP2.md want it. */
import { Metadata } from '@grpc/grpc-js'
import type { Headers } from '@flowforge/grpc/http2/hpack'
import { parseTimeout } from '@flowforge/grpc/timeout'

export interface RequestHead {
  fault?: undefined
  path: string
  authority: string
  /** Milliseconds; Infinity if the client gave none. */
  timeoutMs: number
  headers: Headers
}

/** Not HTTP/2, or HTTP with another status than 200. */
export interface FaultyHead {
  fault: 'malformed' | 405 | 415
}

const forbidden = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

export function readRequestHead(headers: Headers): RequestHead | FaultyHead {
  const pseudo: Record<string, string> = {}
  let isRegular = false
  let contentType = ''
  let timeout: string | undefined
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const value = headers[i + 1]!
    if (name.charCodeAt(0) === 58) {
      if (isRegular || name in pseudo || !isRequestPseudo(name)) return { fault: 'malformed' }
      pseudo[name] = value
      continue
    }
    isRegular = true
    if (name === 'content-type') contentType = value
    else if (name === 'grpc-timeout') timeout = value
    else if (name === 'te' ? value !== 'trailers' : forbidden.has(name) || /[^\x21-\x40\x5b-\x7e]/.test(name))
      return { fault: 'malformed' }
  }
  const { ':method': method, ':path': path, ':scheme': scheme, ':authority': authority = '' } = pseudo
  if (!method || !path || !scheme) return { fault: 'malformed' }
  if (method !== 'POST') return { fault: 405 }
  if (!/^application\/grpc(?:[+;]|$)/.test(contentType)) return { fault: 415 }
  return { path, authority, timeoutMs: parseTimeout(timeout), headers }
}

function isRequestPseudo(name: string): boolean {
  return name === ':method' || name === ':path' || name === ':scheme' || name === ':authority'
}

const ofTheProtocol = new Set(['content-type', 'te', 'grpc-timeout', 'grpc-encoding', 'grpc-accept-encoding'])

/** What the client sent along. Values of names in `-bin` are bytes. */
export function metadataOf(headers: Headers): Metadata {
  const metadata = new Metadata()
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (name.startsWith(':') || ofTheProtocol.has(name)) continue
    const value = headers[i + 1]!
    if (!name.endsWith('-bin')) metadata.add(name, value)
    // A list of values may come as one.
    else for (const one of value.split(',')) metadata.add(name, Buffer.from(one.trim(), 'base64'))
  }
  return metadata
}
