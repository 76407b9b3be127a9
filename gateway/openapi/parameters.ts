/** What goes into the path, the query and the headers of an operation. */
import { getOption, hasOption, type DescField, type DescMessage, type FileRegistry } from '@bufbuild/protobuf'
import type { Route } from '../transcoder/transcoder.ts'
import { behaviorOf } from './behavior.ts'
import { commentOf } from './comments.ts'
import { isWellKnown, type Schema, type SchemaBook } from './schemas.ts'

/** An OpenAPI parameter. */
export type Parameter = Readonly<Record<string, unknown>>

/** An OpenAPI path, with what its placeholders are called. */
export interface Path {
  readonly text: string
  readonly parameters: Parameter[]
}

/** What an identifier is called, by its collection: `tasks` → `task`. From the patterns of `google.api.resource`. */
export function identifierNames(registry: FileRegistry): Map<string, string> {
  const names = new Map<string, string>()
  const extension = registry.getExtension('google.api.resource')
  if (extension === undefined) return names
  for (const type of registry) {
    if (type.kind !== 'message' || !hasOption(type, extension)) continue
    for (const pattern of (getOption(type, extension) as unknown as { pattern: string[] }).pattern) {
      for (const [, collection, name] of pattern.matchAll(/(\w+)\/\{(\w+)\}/g)) names.set(collection!, name!)
    }
  }
  return names
}

/** A route's template as an OpenAPI path, which has one placeholder for each segment that varies. */
export function pathOf({ template }: Route, names: ReadonlyMap<string, string>): Path {
  const parameters: Parameter[] = []
  const parts = template.segments.map((segment, index) => {
    if (segment.kind === 'literal') return segment.text
    const before = template.segments[index - 1]
    const collection = before?.kind === 'literal' ? before.text : `segment${index}`
    const name = names.get(collection) ?? collection
    parameters.push({
      name,
      in: 'path',
      required: true,
      description: `Which of the \`${collection}\`.`,
      schema: { type: 'string', minLength: 1, pattern: '^[^/:?#]+$' },
      example: name === 'project' ? 'default' : name,
    })
    return `{${name}}`
  })
  return { text: `/${parts.join('/')}${template.verb === undefined ? '' : `:${template.verb}`}`, parameters }
}

/** Every field that neither path nor body has, those of messages by their path. */
export function queryOf(registry: FileRegistry, route: Route, book: SchemaBook): Parameter[] {
  if (route.body === 'all') return []
  const bound = new Set(route.variables.map(({ path }) => path))
  const parameters: Parameter[] = []
  const visit = (message: DescMessage, prefix: string, jsonPrefix: string, above: readonly DescMessage[]): void => {
    for (const field of message.fields) {
      const path = prefix + field.name
      if (field === route.body || bound.has(path) || field.fieldKind === 'map') continue
      const inner = field.fieldKind === 'message' && !isWellKnown(field.message.typeName) ? field.message : undefined
      if (inner !== undefined) {
        if (!above.includes(inner)) visit(inner, `${path}.`, `${jsonPrefix}${field.jsonName}.`, [...above, inner])
      } else if (isBindable(field)) {
        parameters.push(queryParameter(registry, field, `${jsonPrefix}${field.jsonName}`, book))
      }
    }
  }
  visit(route.method.input, '', '', [route.method.input])
  return parameters
}

/** Lists of messages, and messages without a text form, cannot be in a query. */
function isBindable(field: DescField): boolean {
  if (field.message === undefined) return true
  return field.fieldKind === 'message' && !/\.(?:Struct|Value|ListValue|Any|Empty)$/.test(field.message.typeName)
}

function queryParameter(registry: FileRegistry, field: DescField, name: string, book: SchemaBook): Parameter {
  const { description, readOnly: _, writeOnly: __, ...schema } = book.field(field)
  return {
    name,
    in: 'query',
    ...(description !== undefined && { description: commentOf(field) }),
    ...(behaviorOf(registry, field).isRequired && { required: true }),
    schema: schema as Schema,
  }
}
