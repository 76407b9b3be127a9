import { ScalarType, type DescEnum, type DescField, type DescMessage } from '@bufbuild/protobuf'
import { wrappedScalar } from './json/encode-well-known.ts'
import { JsonViolation } from './json/violation.ts'

/** A request as JSON, while its parts come together from path, query and body. */
export type Tree = Record<string, unknown>

/** A field that text can be bound to: one of a path's variables, or a query parameter. */
export interface Leaf {
  /** With the names of the contract, for example `task.retry_policy.max_attempts`. */
  readonly path: string
  /** From the request's own field down to the leaf. */
  readonly fields: readonly DescField[]
  readonly isList: boolean
  /** Text → the JSON value of the field; throws JsonViolation. */
  convert(text: string): unknown
}

/** Finds the field that a dotted path names, by contract or by JSON names; undefined when text cannot be bound to it. */
export function resolveLeaf(message: DescMessage, path: string): Leaf | undefined {
  const fields: DescField[] = []
  let current: DescMessage | undefined = message
  for (const name of path.split('.')) {
    const field: DescField | undefined = current?.fields.find(
      (candidate) => candidate.name === name || candidate.jsonName === name,
    )
    if (field === undefined) return undefined
    fields.push(field)
    current = field.fieldKind === 'message' ? field.message : undefined
  }
  const last = fields.at(-1)!
  const convert = last.fieldKind === 'map' ? undefined : converter(last)
  return (
    convert && { path: fields.map((field) => field.name).join('.'), fields, isList: last.fieldKind === 'list', convert }
  )
}

function converter(field: DescField): Leaf['convert'] | undefined {
  if (field.enum !== undefined) return enumConverter(field.enum)
  if (field.message === undefined) return field.scalar === ScalarType.BOOL ? convertBool : String
  switch (field.message.typeName) {
    case 'google.protobuf.Timestamp':
    case 'google.protobuf.Duration':
      return String
    case 'google.protobuf.FieldMask':
      return (text) => text.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    case 'google.protobuf.BoolValue':
      return convertBool
    default:
      return wrappedScalar(field.message) === undefined ? undefined : String
  }
}

function convertBool(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new JsonViolation('expected true or false')
  return text === 'true'
}

function enumConverter(desc: DescEnum): Leaf['convert'] {
  const names = new Set(desc.values.map((value) => value.name))
  return (text) => {
    if (names.has(text)) return text
    if (/^-?\d+$/.test(text)) return Number(text)
    throw new JsonViolation(`${JSON.stringify(text.slice(0, 64))} is not a ${desc.name}`)
  }
}

/** Puts a value at a leaf, over whatever was there; a list's leaf gets one value more. */
export function setLeaf(tree: Tree, leaf: Leaf, value: unknown): void {
  let object = tree
  for (const field of leaf.fields.slice(0, -1)) object = childOf(object, field, leaf)
  const last = leaf.fields.at(-1)!
  if (last.name !== last.jsonName) delete object[last.name]
  if (!leaf.isList) object[last.jsonName] = value
  else if (Array.isArray(object[last.jsonName])) (object[last.jsonName] as unknown[]).push(value)
  else object[last.jsonName] = [value]
}

function childOf(object: Tree, field: DescField, leaf: Leaf): Tree {
  const given = object[field.jsonName] ?? object[field.name]
  const child = given ?? {}
  if (typeof child !== 'object' || Array.isArray(child))
    throw new JsonViolation('expected an object', leaf.path.slice(0, leaf.path.lastIndexOf('.')))
  if (field.name !== field.jsonName) delete object[field.name]
  object[field.jsonName] = child
  return child as Tree
}
