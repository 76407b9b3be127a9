/**
 * YAML of object trees, the same bytes for the same tree. Expressions become Helm's `{{ }}`, conditions its `if`.
 *
 * A library would quote, wrap or reorder what must stay as it is; Kubernetes objects need six constructs of YAML.
 */
import { Expression, MapExpression, When, type Value } from '../compile/resource.ts'

/** One document without its `---`. */
export function printYaml(value: Value): string {
  return `${lines(value, 0).join('\n')}\n`
}

function lines(value: Value, indent: number): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => listItem(item, indent))
  if (!isMap(value)) throw new Error('a document is a map')
  return Object.entries(value).flatMap(([key, item]) => field(key, item, indent))
}

function field(key: string, value: Value, indent: number): string[] {
  const pad = ' '.repeat(indent)
  if (value instanceof When) return conditional(value, pad, field(key, value.value, indent))
  if (value instanceof MapExpression)
    return [`${pad}${key}:`, `${pad}  {{- ${value.template} | nindent ${indent + 2} }}`]
  if (Array.isArray(value) && value.length > 0) return [`${pad}${key}:`, ...lines(value, indent + 2)]
  if (isMap(value) && Object.keys(value).length > 0) return [`${pad}${key}:`, ...lines(value, indent + 2)]
  return [`${pad}${key}: ${leaf(value)}`]
}

function listItem(value: Value, indent: number): string[] {
  const pad = ' '.repeat(indent)
  if (value instanceof When) return conditional(value, pad, listItem(value.value, indent))
  if (!isMap(value) || Object.keys(value).length === 0) return [`${pad}- ${leaf(value)}`]
  const [first = '', ...rest] = lines(value, indent + 2)
  return [`${pad}- ${first.trimStart()}`, ...rest]
}

function conditional({ condition }: When, pad: string, inner: string[]): string[] {
  return [`${pad}{{- if ${condition} }}`, ...inner, `${pad}{{- end }}`]
}

function leaf(value: Value): string {
  if (value instanceof Expression) return `{{ ${value.template} }}`
  if (Array.isArray(value)) return '[]'
  if (typeof value === 'object') return '{}'
  if (typeof value === 'string') return isPlain(value) ? value : JSON.stringify(value)
  return String(value)
}

/** Whether a text needs no quotes: it begins with a letter or `/` and YAML reads nothing but a string in it. */
function isPlain(text: string): boolean {
  return /^[a-zA-Z/][\w./-]*$/.test(text) && !/^(true|false|yes|no|on|off|null|y|n)$/i.test(text)
}

function isMap(value: Value): value is { [key: string]: Value } {
  return (
    typeof value === 'object' && !Array.isArray(value) && !(value instanceof Expression) && !(value instanceof When)
  )
}
