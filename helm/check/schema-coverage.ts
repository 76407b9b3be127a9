import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

interface Schema {
  type?: string | string[]
  enum?: unknown[]
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  items?: Schema
}

/** What of values.yaml the schema leaves open: a value without a rule of its own, or an object that takes unknown keys. */
export function schemaGaps(chart: string): string {
  const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as Schema
  const values = parse(readFileSync(join(chart, 'values.yaml'), 'utf8'), { merge: true }) as object
  return gaps(values, schema, 'values').join('\n')
}

function gaps(value: unknown, schema: Schema | undefined, path: string): string[] {
  if (schema === undefined) return [`${path} has no rule`]
  if (schema.type === undefined && schema.enum === undefined) return [`${path} may be anything`]
  if (schema.properties === undefined) return []
  const open = schema.additionalProperties === false ? [] : [`${path} takes unknown keys`]
  const entries = Object.entries(value as object)
  const unknown = Object.keys(schema.properties).filter((key) => key !== 'global' && !(key in (value as object)))
  return [
    ...open,
    ...(path.includes('.resources')
      ? []
      : unknown.map((key) => `${path}.${key} is in the schema and not in values.yaml`)),
    ...entries.flatMap(([key, inner]) => gaps(inner, schema.properties?.[key], `${path}.${key}`)),
  ]
}
