/** Compiles `google.api.http` of every method of a descriptor set into a match table. */
import {
  getOption,
  hasOption,
  type DescField,
  type DescMessage,
  type DescMethod,
  type FileRegistry,
} from '@bufbuild/protobuf'
import { onlyFieldMask } from './field-mask.ts'
import { resolveLeaf, type Leaf } from './fields.ts'
import { JsonCodec } from './json/codec.ts'
import { MatchTable } from './path/match-table.ts'
import { parseTemplate, type Template } from './path/template.ts'
import { QueryBinder } from './query.ts'

/** One binding of one method, compiled. */
export interface Route {
  /** `/package.Service/Method`. */
  readonly path: string
  readonly method: DescMethod
  readonly httpMethod: string
  readonly template: Template
  /** The fields that the path's variables bind, in the template's order. */
  readonly variables: readonly Leaf[]
  readonly body: 'none' | 'all' | DescField
  /** The body is not JSON but goes into a `google.api.HttpBody` as it is. */
  readonly takesRawBody: boolean
  /** Undefined when the body is `*`: then there is no query. */
  readonly query: QueryBinder | undefined
  /** The FieldMask that a PATCH without one gets from its body. */
  readonly mask: DescField | undefined
  encode(tree: unknown): Buffer
  /** The same, but skips fields that there are not. */
  encodeLeniently(tree: unknown): Buffer
  /** The answer as JSON text; undefined when it is a `google.api.HttpBody`. */
  readonly decode: ((answer: Uint8Array) => string) | undefined
}

interface HttpRule {
  pattern:
    | { case: 'get' | 'put' | 'post' | 'delete' | 'patch'; value: string }
    | { case: 'custom'; value: { kind: string; path: string } }
    | { case: undefined }
  body: string
  responseBody: string
  additionalBindings: HttpRule[]
}

const httpBody = 'google.api.HttpBody'

/** Compiles all methods that are annotated and wanted; throws on the first annotation that cannot hold. */
export function compileRoutes(
  registry: FileRegistry,
  codec: JsonCodec,
  isWanted: (method: DescMethod) => boolean,
): MatchTable<Route> {
  const http = registry.getExtension('google.api.http')
  const table = new MatchTable<Route>()
  if (http === undefined) return table
  for (const type of registry) {
    if (type.kind !== 'service') continue
    for (const method of type.methods) {
      if (!hasOption(method, http) || !isWanted(method)) continue
      // The extension is known from the descriptors alone, so its shape is not a type of the compiler's.
      const rule = getOption(method, http) as unknown as HttpRule
      for (const binding of [rule, ...rule.additionalBindings]) {
        const route = compileRoute(method, binding, codec)
        table.add(route.httpMethod, route.template, route)
      }
    }
  }
  return table
}

function compileRoute(method: DescMethod, rule: HttpRule, codec: JsonCodec): Route {
  const fail = (problem: string): never => {
    throw new Error(`${method.parent.typeName}/${method.name}: ${problem}`)
  }
  if (method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming')
    fail('a client stream has no HTTP form')
  const { httpMethod, path } = patternOf(rule) ?? fail('the HTTP rule has no pattern')
  const { input, output } = method
  const template = parseTemplate(path)
  const variables = template.variables.map(({ fieldPath }) => {
    const leaf = resolveLeaf(input, fieldPath)
    return leaf === undefined || leaf.isList ? fail(`the path cannot bind ${fieldPath}`) : leaf
  })
  const body = bodyOf(input, rule.body) ?? fail(`there is no field ${rule.body}`)
  const bound = new Set(variables.map((leaf) => leaf.path))
  const isTaken = (leaf: Leaf): boolean => bound.has(leaf.path) || leaf.fields[0] === body
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    method,
    httpMethod,
    template,
    variables,
    body,
    takesRawBody:
      body === 'all'
        ? input.typeName === httpBody
        : body !== 'none' && body.message?.typeName === httpBody && body.fieldKind === 'message',
    query: body === 'all' ? undefined : new QueryBinder(input, isTaken),
    mask:
      httpMethod === 'PATCH' && typeof body === 'object' && body.fieldKind === 'message'
        ? onlyFieldMask(input)
        : undefined,
    encode: codec.encoder(input),
    encodeLeniently: codec.lenientEncoder(input),
    decode: decoderOf(output, rule.responseBody, codec, fail),
  }
}

function patternOf({ pattern }: HttpRule): { httpMethod: string; path: string } | undefined {
  if (pattern.case === undefined) return undefined
  if (pattern.case === 'custom') return { httpMethod: pattern.value.kind, path: pattern.value.path }
  return { httpMethod: pattern.case.toUpperCase(), path: pattern.value }
}

function bodyOf(input: DescMessage, body: string): Route['body'] | undefined {
  if (body === '') return 'none'
  return body === '*' ? 'all' : input.fields.find((field) => field.name === body)
}

function decoderOf(
  output: DescMessage,
  responseBody: string,
  codec: JsonCodec,
  fail: (problem: string) => never,
): Route['decode'] {
  if (responseBody === '') return output.typeName === httpBody ? undefined : codec.decoder(output)
  const field =
    output.fields.find((candidate) => candidate.name === responseBody) ?? fail(`there is no field ${responseBody}`)
  return codec.fieldDecoder(output, field)
}
