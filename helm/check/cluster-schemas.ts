import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Schema {
  $ref?: string
  type?: string
  format?: string
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[]
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-int-or-string'?: boolean
}

/**
 * Writes the JSON Schemas of every kind that the cluster of the current kube context has, its CRDs included, and gives where
 * kubeconform finds them; undefined when no cluster answers. Strict: a field that the cluster does not know is an error.
 */
export function clusterSchemas(folder: string): string | undefined {
  const options = { encoding: 'utf8', maxBuffer: 1 << 28, timeout: 30_000 } as const
  const { status, stdout } = spawnSync('kubectl', ['get', '--raw', '/openapi/v2'], options)
  if (status !== 0) return undefined
  const { definitions } = JSON.parse(stdout) as { definitions: Record<string, Schema> }
  mkdirSync(folder, { recursive: true })
  const all = Object.fromEntries(Object.entries(definitions).map(([name, schema]) => [name, strict(schema)]))
  writeFileSync(join(folder, 'definitions.json'), JSON.stringify({ definitions: all }))
  for (const [name, schema] of Object.entries(definitions)) {
    for (const { group, version, kind } of schema['x-kubernetes-group-version-kind'] ?? []) {
      mkdirSync(join(folder, group), { recursive: true })
      const reference = { $ref: `file://${join(folder, 'definitions.json')}#/definitions/${name}` }
      writeFileSync(join(folder, group, `${kind.toLowerCase()}_${version}.json`), JSON.stringify(reference))
    }
  }
  return join(folder, '{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json')
}

function strict(schema: Schema): Schema {
  if (schema.format === 'int-or-string' || schema['x-kubernetes-int-or-string']) return {}
  if (Array.isArray(schema)) return schema.map(strict) as unknown as Schema
  const isObject = (value: unknown): value is Schema => typeof value === 'object' && value !== null
  const entries = Object.entries(schema).map(([key, value]) => [key, isObject(value) ? strict(value) : value])
  const result = Object.fromEntries(entries) as Schema
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] || schema.additionalProperties !== undefined
  if (isObject(schema.properties) && schema.type !== undefined && typeof schema.type === 'string' && !isOpen)
    result.additionalProperties = false
  return result
}
