/**
 * HTTP/JSON in, gRPC out, by `google.api.http` alone. This file is the library's public API; README.md describes it.
 *
 *     find the route ─► admit ─► read the body ─► encode ─► call ─► decode ─► answer
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createFileRegistry, fromBinary, type DescMethod, type FileRegistry } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema, MethodOptions_IdempotencyLevel as Idempotency } from '@bufbuild/protobuf/wkt'
import { status, type Metadata, type ServiceError } from '@grpc/grpc-js'
import { readBody, requireJson } from './body.ts'
import { fromUpstream, RpcError } from './errors.ts'
import type { Tree } from './fields.ts'
import { timeoutOf, toHeaders, toMetadata } from './headers.ts'
import { readHttpBody } from './http-body.ts'
import { JsonCodec } from './json/codec.ts'
import { MalformedPath, type Lookup, type Match, type MatchTable } from './path/match-table.ts'
import { encodeRequest } from './request.ts'
import { compileResume, type Resume, type ResumeFields } from './resume.ts'
import { compileRoutes, type Route } from './routes.ts'
import { pipeStream, type StreamForm } from './stream.ts'
import type { Upstream } from './upstream.ts'

export { fieldViolation, RpcError, type ErrorDetail } from './errors.ts'
export type { Tree } from './fields.ts'
export type { ResumeFields } from './resume.ts'
export type { Route } from './routes.ts'
export { grpcUpstream, type OutgoingCall, type UnaryEnd, type Upstream } from './upstream.ts'

/** One HTTP request on its way. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly route: Route
  /** What the path binds, by field path. */
  readonly variables: ReadonlyMap<string, string>
  /** Goes out with the call; hooks may add to it. */
  readonly metadata: Metadata
  /** Whether the call may be sent again when nobody knows if it arrived; a hook that makes it safe says so. */
  isRepeatable: boolean
}

/** The answer to a unary call, as it goes to the caller. */
export interface Answer {
  readonly contentType: string
  readonly headers: Readonly<Record<string, string>>
  readonly data: Buffer
}

/** Makes a call; it goes on when its caller leaves. It ends at `deadline` (epoch ms), or else at the exchange's own. */
export type Call = (deadline?: number) => Promise<Answer>

export interface TranscoderOptions {
  /** A serialized `google.protobuf.FileDescriptorSet` with its imports. */
  readonly descriptors: Uint8Array
  /** Where the calls of a method go; a method without upstream is not served. */
  upstream(method: DescMethod): Upstream | undefined
  /** Longest time of a unary call, and longest silence of a stream, in ms; unbounded if undefined. */
  timeoutMs?(method: DescMethod): number | undefined
  /** How a broken stream of events is taken up again by `Last-Event-ID`; if undefined it begins anew. */
  resume?(method: DescMethod): ResumeFields | undefined
  /** Called before the body is read: refuses by throwing RpcError, or adds to the metadata. */
  admit?(exchange: Exchange): void | Promise<void>
  /** Called with the request while it is JSON. */
  complete?(exchange: Exchange, request: Tree): void
  /** Stands around a unary call: answers without it, or does something before or after. Undefined leaves it alone. */
  around?(exchange: Exchange, request: Buffer, call: Call): Promise<Answer> | undefined
  /** Sends the answer of a unary call; `sendAnswer` if undefined. */
  send?(exchange: Exchange, answer: Answer): void | Promise<void>
  /** Called once per request, after its answer, or with what was thrown. */
  observe?(
    request: IncomingMessage,
    response: ServerResponse,
    route: Route | undefined,
    error: RpcError | undefined,
  ): void
  /** `Grpc-Metadata-` names that begin like this are dropped, besides those of gRPC and of HTTP. */
  readonly reservedMetadata?: readonly string[]
  /** Every error carries an ErrorInfo of this domain if it has none of its own; none is added if undefined. */
  readonly errorDomain?: string
  /** HTTP statuses of errors by their ErrorInfo's reason, where that is more exact than the code's own. */
  readonly statusByReason?: Readonly<Record<string, number>>
  /** Largest body in bytes; 4 MiB if undefined. */
  readonly bodyBytesMax?: number
  /** Sign of life on a silent stream; 15 s if undefined. */
  readonly heartbeatMs?: number
}

export interface Transcoder {
  /** Every type of the descriptor set. */
  readonly registry: FileRegistry
  /** Every binding that is served. */
  readonly routes: readonly Route[]
  /** The HTTP methods that are served at a path, as `Allow` names them; none if there is nothing. Throws RpcError for a path that is no path. */
  allowedMethods(path: string): string[]
  /** Answers a request, whatever it is; never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
  /** Answers with an error, as `handle` does. */
  refuse(request: IncomingMessage, response: ServerResponse, error: RpcError): void
  /** Ends every stream with this error, so that a server can stop. */
  endStreams(error: RpcError): void
}

// setTimeout takes no more than this.
const foreverMs = 2_147_483_647
// How long a caller may go on sending a body that was refused, so that it gets to read the answer.
const lingerMs = 500

/** Compiles a descriptor set; throws when an annotation in it cannot hold. */
export function createTranscoder(options: TranscoderOptions): Transcoder {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, options.descriptors))
  const codec = new JsonCodec(registry)
  const upstreams = new Map<DescMethod, Upstream>()
  const table = compileRoutes(registry, codec, (method) => {
    const upstream = options.upstream(method)
    if (upstream !== undefined) upstreams.set(method, upstream)
    return upstream !== undefined
  })
  const resumes = new Map<DescMethod, Resume>()
  const timeoutsMs = new Map<DescMethod, number>()
  for (const { method } of table.values) {
    timeoutsMs.set(method, options.timeoutMs?.(method) ?? Number.POSITIVE_INFINITY)
    const fields = method.methodKind === 'server_streaming' ? options.resume?.(method) : undefined
    if (fields !== undefined) resumes.set(method, compileResume(method, fields))
  }
  const statusDesc = registry.getMessage('google.rpc.Status')
  const readStatus = statusDesc ? codec.decoder(statusDesc) : () => '{}'
  const running = new Set<(error: RpcError) => void>()
  const { errorDomain } = options
  const informed = (error: RpcError): RpcError => (errorDomain === undefined ? error : error.withInfo(errorDomain))
  const toError = (error: ServiceError): RpcError => informed(fromUpstream(error, readStatus, options.statusByReason))

  const serve = async (
    request: IncomingMessage,
    response: ServerResponse,
    onRoute: (route: Route) => void,
  ): Promise<void> => {
    const url = request.url ?? '/'
    const mark = url.indexOf('?')
    const { value: route, variables } = findRoute(table, request.method ?? 'GET', mark < 0 ? url : url.slice(0, mark))
    onRoute(route)
    const exchange: Exchange = {
      request,
      response,
      route,
      variables: new Map(route.variables.map((leaf, index) => [leaf.path, variables[index]!])),
      metadata: toMetadata(request.headers, options.reservedMetadata ?? []),
      isRepeatable: route.method.idempotency !== Idempotency.IDEMPOTENCY_UNKNOWN,
    }
    const startedMs = Date.now()
    const askedMs = timeoutOf(request.headers) ?? Number.POSITIVE_INFINITY
    const admitted = options.admit?.(exchange)
    if (admitted !== undefined) await admitted
    let body: Buffer | undefined
    if (route.body !== 'none') {
      if (!route.takesRawBody) requireJson(request)
      if (request.headers.expect !== undefined) response.writeContinue()
      body = await readBody(request, options.bodyBytesMax ?? 4_194_304)
    }
    const parts = {
      variables,
      query: mark < 0 ? '' : url.slice(mark + 1),
      body,
      contentType: request.headers['content-type'],
      skipsUnknown: isLenient(request),
    }
    if (parts.skipsUnknown) response.setHeader('preference-applied', 'handling=lenient')
    const form = formOf(request, parts.query)
    const resume = form === 'events' ? resumes.get(route.method) : undefined
    const lastId = request.headers['last-event-id']
    const encoded = encodeRequest(route, parts, (tree) => {
      if (resume !== undefined && typeof lastId === 'string' && lastId !== '') resume.after(tree, lastId)
      options.complete?.(exchange, tree)
    })
    const limitMs = timeoutsMs.get(route.method)!
    const isStream = route.method.methodKind === 'server_streaming'
    // A stream may last for ever and only its silence is bounded, unless the caller bounds the whole.
    const deadline = startedMs + (isStream ? askedMs : Math.min(askedMs, limitMs))
    const call = { route, request: encoded, metadata: exchange.metadata, deadline, isRepeatable: exchange.isRepeatable }
    const upstream = upstreams.get(route.method)!
    // Nobody waits for the answer any more, and nobody would cancel the call.
    if (response.destroyed) throw new RpcError(status.CANCELLED, 'the caller went away')
    const send = options.send ?? sendAnswer
    if (!isStream) {
      const around = options.around?.(exchange, encoded, (until = deadline) =>
        unary(upstream, { ...call, deadline: until }, undefined, toError),
      )
      return send(exchange, await (around ?? unary(upstream, call, response, toError)))
    }
    if (request.method === 'HEAD') return void response.writeHead(200).end()
    await pipeStream(upstream.serverStream(call), response, {
      form,
      idOf: resume?.idOf,
      decode: route.decode,
      heartbeatMs: options.heartbeatMs ?? 15_000,
      idleTimeoutMs: Math.min(limitMs, foreverMs),
      toError,
      running,
    })
  }

  const refuse: Transcoder['refuse'] = (request, response, error) => sendError(request, response, informed(error))

  return {
    registry,
    routes: table.values,
    allowedMethods: (path) => allowedAt(table, path),
    refuse,
    endStreams: (error) => running.forEach((finish) => finish(error)),
    async handle(request, response) {
      let route: Route | undefined
      let refused: RpcError | undefined
      try {
        await serve(request, response, (found) => {
          route = found
        })
      } catch (error) {
        refused = error instanceof RpcError ? error : new RpcError(status.INTERNAL, 'internal error', { cause: error })
        refuse(request, response, refused)
      }
      options.observe?.(request, response, route, refused)
    },
  }
}

/** Whether the caller would rather have what is not understood skipped than refused (RFC 7240, section 4.4). */
function isLenient({ headers: { prefer } }: IncomingMessage): boolean {
  return prefer !== undefined && /\bhandling="?lenient\b/i.test(String(prefer))
}

/** How the caller wants a stream. `$alt` is a system parameter of Google's APIs. */
function formOf({ headers }: IncomingMessage, query: string): StreamForm {
  const alt = query.includes('alt=') ? /(?:^|&)(?:\$|%24)alt=(json|sse)/.exec(query)?.[1] : undefined
  if (alt === 'sse' || /\btext\/event-stream\b/.test(headers.accept ?? '')) return 'events'
  return alt === 'json' ? 'array' : 'lines'
}

function findRoute(table: MatchTable<Route>, method: string, path: string): Match<Route> {
  const lookup = find(table, method, path)
  if (lookup.kind === 'match') return lookup.match
  if (lookup.allowed.length === 0) throw new RpcError(status.NOT_FOUND, 'there is nothing at this path')
  const allow = withHead(lookup.allowed).join(', ')
  throw new RpcError(status.UNIMPLEMENTED, `${method} is not possible here, only ${allow}`, {
    httpStatus: 405,
    reason: 'METHOD_NOT_ALLOWED',
    headers: { allow },
  })
}

function find(table: MatchTable<Route>, method: string, path: string): Lookup<Route> {
  try {
    const lookup = table.find(method, path)
    return lookup.kind === 'none' && method === 'HEAD' ? table.find('GET', path) : lookup
  } catch (error) {
    throw error instanceof MalformedPath ? new RpcError(status.INVALID_ARGUMENT, error.message) : error
  }
}

// No template is of this method, so that a lookup tells which there are.
const noMethod = ''

function allowedAt(table: MatchTable<Route>, path: string): string[] {
  const lookup = find(table, noMethod, path)
  return lookup.kind === 'none' ? withHead(lookup.allowed) : []
}

function withHead(methods: readonly string[]): string[] {
  return methods.flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name]))
}

/** Calls; ends the call when `response` closes before its answer is there. */
function unary(
  upstream: Upstream,
  call: Parameters<Upstream['unary']>[0],
  response: ServerResponse | undefined,
  toError: (error: ServiceError) => RpcError,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => outgoing.cancel()
    const outgoing = upstream.unary(call, (error, answer, headers) => {
      response?.off('close', onClose)
      if (error !== null) return reject(toError(error))
      try {
        resolve({ ...readAnswer(call.route, answer!), headers: toHeaders(headers) })
      } catch (cause) {
        reject(new RpcError(status.INTERNAL, 'the answer has no JSON form', { cause }))
      }
    })
    response?.once('close', onClose)
  })
}

function readAnswer({ decode }: Route, answer: Buffer): { contentType: string; data: Buffer } {
  return decode === undefined
    ? readHttpBody(answer)
    : { contentType: 'application/json', data: Buffer.from(decode(answer)) }
}

/** Sends an answer as it is. */
export function sendAnswer({ request, response }: Exchange, { contentType, headers, data }: Answer): void {
  response.writeHead(200, { ...headers, 'content-type': contentType, 'content-length': data.length })
  response.end(request.method === 'HEAD' ? undefined : data)
}

function sendError(request: IncomingMessage, response: ServerResponse, error: RpcError): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const text = JSON.stringify({ error })
  const headers: Record<string, string | number> = {
    ...error.headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  }
  if (request.complete) {
    response.writeHead(error.httpStatus, headers)
    response.end(request.method === 'HEAD' ? undefined : text)
    return
  }
  // The answer is whole at once, but Node closes the connection with its end: whoever still sends would then see only that.
  response.writeHead(error.httpStatus, { ...headers, connection: 'close' })
  if (request.method !== 'HEAD') response.write(text)
  const linger = setTimeout(() => response.end(), lingerMs)
  request.once('end', () => response.end())
  response.once('close', () => clearTimeout(linger))
  request.resume()
}
