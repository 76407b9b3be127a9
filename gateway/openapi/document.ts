/** The API as an OpenAPI 3.1 document, from the descriptors alone. */
import type { FileRegistry } from '@bufbuild/protobuf'
import type { MethodPolicy } from '@flowforge/runtime/policy'
import type { Route } from '../transcoder/transcoder.ts'
import { behaviorOf } from './behavior.ts'
import { commentOf, firstSentence } from './comments.ts'
import { exampleOf } from './examples.ts'
import { answerHeaders, answerHeadersOf, requestHeaders, requestHeadersOf } from './headers.ts'
import { ownPaths, ownSchemas, ownTag } from './own-paths.ts'
import { identifierNames, pathOf, queryOf } from './parameters.ts'
import { SchemaBook, type Schema } from './schemas.ts'

/** What the document is made from. */
export interface DocumentSource {
  readonly registry: FileRegistry
  readonly routes: readonly Route[]
  /** By RPC path: who may call. */
  readonly policies: ReadonlyMap<string, Pick<MethodPolicy, 'roles'>>
  readonly version: string
  /** Whether a request of this route can have a request ID. */
  takesRequestId(route: Route): boolean
  /** Whether a broken stream of events of this route can be taken up again. */
  takesLastEventId(route: Route): boolean
}

/** An OpenAPI document, as far as we write one. */
export interface OpenApi {
  readonly openapi: '3.1.0'
  readonly info: Readonly<Record<string, unknown>>
  readonly servers: readonly { url: string }[]
  readonly security: readonly Record<string, string[]>[]
  readonly tags: readonly { name: string; description: string }[]
  readonly paths: Readonly<Record<string, Record<string, Operation>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>
    readonly parameters: Readonly<Record<string, unknown>>
    readonly headers: Readonly<Record<string, Schema>>
    readonly responses: Readonly<Record<string, unknown>>
    readonly securitySchemes: Readonly<Record<string, unknown>>
  }
}

export type Operation = Readonly<Record<string, unknown>> & {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly parameters: readonly Readonly<Record<string, unknown>>[]
}

const description = `Tasks that run later, elsewhere, or reliably. Every call is also a gRPC method of the same name.

Whatever is read by GET can also be asked for by HEAD. \`Grpc-Metadata-X\` goes to the service as metadata \`x\`, what it answers so comes back so; \`traceparent\`, \`tracestate\` and \`baggage\` continue a trace. Large answers are compressed as \`Accept-Encoding\` allows.`

/** Writes the document. */
export function openApiDocument(source: DocumentSource): OpenApi {
  const { registry, routes, version } = source
  const book = new SchemaBook(registry)
  const names = identifierNames(registry)
  const paths: Record<string, Record<string, Operation>> = {}
  const services = new Map<string, string>()
  const used = new Map<string, number>()
  for (const route of routes) {
    const { parent } = route.method
    services.set(parent.name, commentOf(parent))
    const path = pathOf(route, names)
    // A second binding of an RPC is an operation of its own.
    const count = (used.get(route.path) ?? 0) + 1
    used.set(route.path, count)
    const operation = operationOf(source, route, book, path.parameters, count)
    ;(paths[path.text] ??= {})[route.httpMethod.toLowerCase()] = operation
  }
  const error = book.message(registry.getMessage('google.rpc.Status')!)
  return {
    openapi: '3.1.0',
    info: {
      title: 'FlowForge',
      version,
      description,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    tags: [...[...services].map(([name, about]) => ({ name, description: about })), ownTag],
    paths: { ...paths, ...ownPaths },
    components: {
      schemas: { ...book.schemas, ...ownSchemas, Error: errorSchema(error) },
      parameters: requestHeaders,
      headers: answerHeaders,
      responses: { Error: errorResponse },
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key, or a token of the identity provider that the gateway trusts.',
        },
      },
    },
  }
}

function operationOf(
  source: DocumentSource,
  route: Route,
  book: SchemaBook,
  pathParameters: readonly Readonly<Record<string, unknown>>[],
  count: number,
): Operation {
  const { registry, policies } = source
  const { method } = route
  const comment = commentOf(method)
  const roles = [...(policies.get(route.path)?.roles ?? [])]
  const isRead = isConditional(route)
  const body = bodyOf(source, route, book)
  return {
    operationId: `${method.parent.name}_${method.name}${count === 1 ? '' : count}`,
    tags: [method.parent.name],
    summary: firstSentence(comment),
    description: [
      comment,
      `Needs the role ${[...roles, 'admin'].filter((role, index, all) => all.indexOf(role) === index).join(' or ')}.`,
    ].join('\n\n'),
    ...(method.proto.options?.deprecated === true && { deprecated: true }),
    'x-grpc-method': route.path.slice(1),
    parameters: [
      ...pathParameters,
      ...queryOf(registry, route, book),
      ...requestHeadersOf({
        isRead,
        takesRequestId: source.takesRequestId(route),
        takesLastEventId: source.takesLastEventId(route),
      }),
    ],
    ...(body && { requestBody: body }),
    responses: {
      200: answerOf(source, route, book),
      ...(isRead && { 304: { description: 'The caller has the answer already.' } }),
      default: { $ref: '#/components/responses/Error' },
    },
  }
}

function bodyOf({ registry }: DocumentSource, route: Route, book: SchemaBook): Schema | undefined {
  const { body, httpMethod, method } = route
  if (body === 'none') return undefined
  const message = body === 'all' ? method.input : body.message
  if (message === undefined) return undefined
  const bound = new Set(route.variables.map(({ path }) => path))
  const demanded = message.fields.filter(
    (field) =>
      behaviorOf(registry, field).isRequired && !bound.has(body === 'all' ? field.name : `${body.name}.${field.name}`),
  )
  const example = exampleOf(registry, message, 'request') as Record<string, unknown>
  for (const field of message.fields) {
    const isElsewhere = body === 'all' && bound.has(field.name)
    const isFixed = httpMethod === 'PATCH' && behaviorOf(registry, field).isImmutable
    if (isElsewhere || isFixed) delete example[field.jsonName]
  }
  const schema = book.message(message)
  // A change of some fields needs none of the others.
  const required = httpMethod === 'PATCH' ? [] : demanded.map(({ jsonName }) => jsonName)
  return {
    required: required.length > 0,
    content: {
      'application/json': { schema: required.length === 0 ? schema : { allOf: [schema, { required }] }, example },
    },
  }
}

/** Whether an answer has a validator: one that was read, and at once. */
function isConditional({ method, httpMethod }: Route): boolean {
  return httpMethod === 'GET' && method.methodKind === 'unary'
}

function answerOf({ registry }: DocumentSource, route: Route, book: SchemaBook): Schema {
  const { method } = route
  const schema = book.message(method.output)
  const example = exampleOf(registry, method.output, 'answer')
  if (method.methodKind === 'server_streaming') {
    const name = String(schema['$ref']).split('/').at(-1)
    return {
      description: `One ${name} after the other: a line \`{"result": …}\` each, or events for \`Accept: text/event-stream\`. A line or event \`error\` ends a stream that failed. \`$alt=sse\` in the query asks for events too, \`$alt=json\` for one JSON array.`,
      headers: answerHeadersOf('other'),
      content: {
        'application/x-ndjson': { schema: { type: 'string' }, example: `${JSON.stringify({ result: example })}\n` },
        'text/event-stream': { schema: { type: 'string' }, example: `id: 1\ndata: ${JSON.stringify(example)}\n\n` },
      },
    }
  }
  return {
    description: commentOf(method.output) || 'Done.',
    headers: answerHeadersOf(isConditional(route) ? 'read' : 'other'),
    content: { 'application/json': { schema, example } },
  }
}

const errorResponse = {
  description:
    'Refused or failed. `details` tell more: an ErrorInfo with a stable reason always, the fields at fault, when to try again.',
  headers: answerHeadersOf('refused'),
  content: {
    'application/json': {
      schema: { $ref: '#/components/schemas/Error' },
      example: {
        error: {
          code: 404,
          message: 'projects/default/tasks/17 was not found',
          status: 'NOT_FOUND',
          details: [
            { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'NOT_FOUND', domain: 'flowforge.dev' },
          ],
        },
      },
    },
  },
}

/** The body of every error (AIP-193). */
function errorSchema(status: Schema): Schema {
  return {
    type: 'object',
    required: ['error'],
    additionalProperties: false,
    properties: {
      error: {
        type: 'object',
        required: ['code', 'message', 'status', 'details'],
        additionalProperties: false,
        description: `As ${String(status['$ref']).split('/').at(-1)}, but with the HTTP status as code and the gRPC status by name.`,
        properties: {
          code: { type: 'integer', minimum: 400, maximum: 599 },
          message: { type: 'string' },
          status: { type: 'string', pattern: '^[A-Z_]+$' },
          details: {
            type: 'array',
            items: {
              type: 'object',
              required: ['@type'],
              properties: { '@type': { type: 'string' } },
              additionalProperties: true,
            },
          },
        },
      },
    },
  }
}
