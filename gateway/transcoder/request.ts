/** Path, query and body → the request message. */
import { isUtf8 } from 'node:buffer'
import { status } from '@grpc/grpc-js'
import { fieldViolation, RpcError } from './errors.ts'
import { maskOfBody } from './field-mask.ts'
import { setLeaf, type Tree } from './fields.ts'
import { parseExactly, parseJson } from './json/parse.ts'
import { InexactNumber, JsonViolation, kindOf } from './json/violation.ts'
import type { Route } from './routes.ts'

/** The parts of an HTTP request that become a message. */
export interface RequestParts {
  readonly variables: readonly string[]
  /** Without the question mark. */
  readonly query: string
  readonly body: Buffer | undefined
  readonly contentType: string | undefined
  /** Fields that there are not are skipped; otherwise they are refused. */
  readonly skipsUnknown: boolean
}

/** Encodes a request; `complete` may still change it while it is JSON. Throws RpcError about whatever does not fit. */
export function encodeRequest(route: Route, parts: RequestParts, complete: (request: Tree) => void): Buffer {
  const encode = (parse: (text: string) => unknown): Buffer => {
    const tree = requestTree(route, parts, parse)
    // Only a request whose whole body is not an object has nothing that could be completed.
    if (typeof tree === 'object' && tree !== null) complete(tree as Tree)
    return parts.skipsUnknown ? route.encodeLeniently(tree) : route.encode(tree)
  }
  try {
    try {
      return encode(parseJson)
    } catch (error) {
      if (error instanceof InexactNumber) return encode(parseExactly)
      throw error
    }
  } catch (error) {
    if (error instanceof JsonViolation) throw fieldViolation(error.path, error.description)
    throw error
  }
}

function requestTree(route: Route, parts: RequestParts, parse: (text: string) => unknown): unknown {
  const { body, takesRawBody } = route
  const content = takesRawBody ? rawBody(parts) : jsonBody(parts.body, parse)
  if (body === 'all' && route.variables.length === 0) {
    if (parts.query !== '') refuseQuery(parts.query)
    return content === undefined ? {} : content
  }
  const tree: Tree = body === 'all' && content !== undefined ? asObject(content) : {}
  if (typeof body === 'object' && content !== undefined) tree[body.jsonName] = content
  if (route.query === undefined) refuseQuery(parts.query)
  else if (parts.query !== '') route.query.bind(tree, parts.query, parts.skipsUnknown)
  if (route.mask !== undefined && tree[route.mask.jsonName] === undefined && typeof body === 'object') {
    tree[route.mask.jsonName] = maskOf(route, content)
  }
  route.variables.forEach((leaf, index) => {
    try {
      setLeaf(tree, leaf, leaf.convert(parts.variables[index]!))
    } catch (error) {
      throw error instanceof JsonViolation && error.path === '' ? error.under(leaf.path) : error
    }
  })
  return tree
}

function maskOf(route: Route, content: unknown): string {
  const { body } = route
  if (typeof body !== 'object' || body.message === undefined) return ''
  const bound = new Set(
    route.variables.filter((leaf) => leaf.fields[0] === body).map((leaf) => leaf.path.slice(body.name.length + 1)),
  )
  return maskOfBody(body.message, content, bound)
}

function rawBody({ body, contentType }: RequestParts): Tree | undefined {
  if (body === undefined || body.length === 0) return undefined
  return { contentType: contentType ?? 'application/octet-stream', data: body }
}

function jsonBody(body: Buffer | undefined, parse: (text: string) => unknown): unknown {
  if (body === undefined || body.length === 0) return undefined
  if (!isUtf8(body)) throw new RpcError(status.INVALID_ARGUMENT, 'the body is not UTF-8')
  try {
    return parse(body.toString('utf8'))
  } catch (error) {
    if (error instanceof JsonViolation) throw error
    const place = error instanceof Error ? (/ at position \d+.*/.exec(error.message)?.[0] ?? '') : ''
    throw new RpcError(status.INVALID_ARGUMENT, `the body is not JSON${place}`)
  }
}

function asObject(content: unknown): Tree {
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) return content as Tree
  throw new JsonViolation(`expected an object, got ${kindOf(content)}`)
}

function refuseQuery(query: string): void {
  const key = query.split('&').find((pair) => pair !== '' && !pair.startsWith('$') && !pair.startsWith('%24'))
  if (key !== undefined)
    throw new JsonViolation('belongs into the body, this call has no query', key.split('=')[0]!.slice(0, 100))
}
