import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Schema {
  $ref?: string
  type?: string
  format?: string
  properties?: Record<string, Schema>
  items?: Schema
  additionalProperties?: boolean | Schema
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[]
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-int-or-string'?: boolean
}

interface ClusterSchemas {
  /** Where kubeconform finds them. */
  location: string
  /** Whether there is one of `apiVersion kind`. */
  has: (kind: string) => boolean
}

/**
 * Writes the JSON Schemas of every kind that the cluster of the current kube context has, its CRDs included; undefined when no
 * cluster answers. Strict: a field that the cluster does not know is an error.
 */
export function clusterSchemas(folder: string): ClusterSchemas | undefined {
  const options = { encoding: 'utf8', maxBuffer: 1 << 28, timeout: 30_000 } as const
  const { status, stdout } = spawnSync('kubectl', ['get', '--raw', '/openapi/v2'], options)
  if (status !== 0) return undefined
  const { definitions } = JSON.parse(stdout) as { definitions: Record<string, Schema> }
  const kinds = new Set<string>()
  for (const [name, schema] of Object.entries(definitions)) {
    for (const { group, version, kind } of schema['x-kubernetes-group-version-kind'] ?? []) {
      // What kubeconform takes for the group of Kubernetes' oldest kinds is their version.
      const part = join(folder, group || version)
      mkdirSync(part, { recursive: true })
      kinds.add(`${group ? `${group}/` : ''}${version} ${kind}`)
      const whole = strict(schema, definitions, [name])
      writeFileSync(join(part, `${kind.toLowerCase()}_${version}.json`), JSON.stringify(whole))
    }
  }
  return {
    location: join(folder, '{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json'),
    has: (kind) => kinds.has(kind),
  }
}

/** The schema without references, which kubeconform does not follow, and closed; what refers to itself stays open. */
function strict(schema: Schema, definitions: Record<string, Schema>, within: string[]): Schema {
  const name = schema.$ref?.replace('#/definitions/', '')
  if (name !== undefined) return within.includes(name) ? {} : strict(definitions[name]!, definitions, [...within, name])
  if (schema.format === 'int-or-string' || schema['x-kubernetes-int-or-string']) return {}
  const inner = (value: Schema) => strict(value, definitions, within)
  const result: Schema = { ...schema }
  if (schema.items) result.items = inner(schema.items)
  if (isSchema(schema.additionalProperties)) result.additionalProperties = inner(schema.additionalProperties)
  if (!schema.properties) return result
  result.properties = Object.fromEntries(Object.entries(schema.properties).map(([key, value]) => [key, inner(value)]))
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] || schema.additionalProperties !== undefined
  if (!isOpen) result.additionalProperties = false
  return result
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null
}
