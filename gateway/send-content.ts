/** How content goes out: conditionally (`ETag`, 304), compressed where the caller takes it, or as it is. */
import { hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const brotli = promisify(brotliCompress)
const gzipped = promisify(gzip)

// Below this a compressed answer is hardly smaller, and within one packet either way.
const compressedBytesMin = 1_024

/** The validator of some content. Weak, because the bytes also depend on how they are compressed. */
export function entityTag(data: Uint8Array): string {
  return `W/"${hash('sha1', data, 'base64url')}"`
}

/** Sends what a GET or HEAD found, or only that the caller has it already. `headers` hold its ETag. */
export function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  headers: Readonly<Record<string, string>> & { etag: string; 'content-type': string },
  data: Buffer,
): void | Promise<void> {
  if (isKnown(request.headers['if-none-match'], headers.etag)) {
    const { 'content-type': _, ...validators } = headers
    response.writeHead(304, validators).end()
    return
  }
  return sendData(request, response, 200, headers, data)
}

/** Sends a body, compressed if that is worth it and the caller takes it. */
export function sendData(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  data: Buffer,
): void | Promise<void> {
  const isText = /^(?:application\/(?:json|[\w.+-]+\+json)|text\/)/.test(headers['content-type'] ?? '')
  const coding = isText && data.length >= compressedBytesMin ? codingFor(request) : undefined
  if (isText) addVary(response, 'Accept-Encoding')
  if (coding === undefined) {
    response.setHeader('content-length', data.length)
    response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : data)
    return
  }
  const coded = { ...headers, 'content-encoding': coding }
  if (request.method === 'HEAD') return void response.writeHead(status, coded).end()
  return compress(data, coding).then((compressed) => {
    response.writeHead(status, { ...coded, 'content-length': compressed.length }).end(compressed)
  })
}

/** Adds a header that the answer depends on to `Vary`. */
export function addVary(response: ServerResponse, name: string): void {
  const other = response.getHeader('vary')
  response.setHeader('vary', other === undefined ? name : `${String(other)}, ${name}`)
}

function compress(data: Buffer, coding: 'br' | 'gzip'): Promise<Buffer> {
  if (coding === 'gzip') return gzipped(data)
  // 11, the default, is for files that are compressed once.
  return brotli(data, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_SIZE_HINT]: data.length },
  })
}

/** The best coding that `Accept-Encoding` allows. */
function codingFor({ headers }: IncomingMessage): 'br' | 'gzip' | undefined {
  const accepted = new Map<string, number>()
  for (const part of String(headers['accept-encoding'] ?? '')
    .toLowerCase()
    .split(',')) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim())
    const quality = parameters.find((parameter) => parameter.startsWith('q='))
    accepted.set(name, quality === undefined ? 1 : Number(quality.slice(2)))
  }
  const qualityOf = (name: string): number => accepted.get(name) ?? accepted.get('*') ?? 0
  if (qualityOf('br') > 0 && qualityOf('br') >= qualityOf('gzip')) return 'br'
  return qualityOf('gzip') > 0 ? 'gzip' : undefined
}

/** Whether `If-None-Match` names this validator, compared as RFC 9110 has it for that header: weakly. */
function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  if (header.trim() === '*') return true
  const plain = (tag: string): string => tag.trim().replace(/^W\//, '')
  return header.split(',').some((tag) => plain(tag) === plain(etag))
}
