import type { DescField, DescMessage } from '@bufbuild/protobuf'
import { hasOwnJson } from './json/encode-well-known.ts'
import { fieldMaskText } from './json/well-known.ts'
import type { Tree } from './fields.ts'

/** The one FieldMask of a request; undefined when there is none or several. */
export function onlyFieldMask(message: DescMessage): DescField | undefined {
  const masks = message.fields.filter(
    (field) => field.fieldKind === 'message' && field.message.typeName === 'google.protobuf.FieldMask',
  )
  return masks.length === 1 ? masks[0] : undefined
}

/**
 * The mask of what a PATCH body sets: the paths of its leaves, without those that the URL binds, which name the resource.
 * Keys that are no fields are left out: encoding refuses them with a better message.
 */
export function maskOfBody(message: DescMessage, body: unknown, bound: ReadonlySet<string>): string {
  const paths: string[] = []
  collect(message, body, '', paths)
  return fieldMaskText(paths.filter((path) => !bound.has(path)))
}

function collect(message: DescMessage, value: unknown, prefix: string, paths: string[], depth = 0): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || depth > 32) return
  for (const [key, child] of Object.entries(value as Tree)) {
    const field = message.fields.find((candidate) => candidate.jsonName === key || candidate.name === key)
    if (field === undefined) continue
    const path = prefix + field.name
    const isNested =
      field.fieldKind === 'message' &&
      !hasOwnJson(field.message) &&
      typeof child === 'object' &&
      child !== null &&
      Object.keys(child).length > 0
    if (isNested) collect(field.message, child, `${path}.`, paths, depth + 1)
    else paths.push(path)
  }
}
