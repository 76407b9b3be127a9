import { FlowForgeError } from '@flowforge/sdk/client-error'
import type { JsonObject, JsonValue } from '@flowforge/sdk/client-resources'
import { statusDetail } from './status-details.ts'

/** A type whose JSON is not the object of its fields. */
interface WellKnownType {
  toMessage(json: JsonValue, at: string): unknown
  toJson(message: object): JsonValue
}

/** How google.protobuf's own types look in proto3 JSON and in @grpc/proto-loader, by full name. */
export const wellKnownTypes: Record<string, WellKnownType> = {
  '.google.protobuf.Struct': { toMessage: structToMessage, toJson: structToJson },
  '.google.protobuf.Value': { toMessage: valueToMessage, toJson: valueToJson },
  '.google.protobuf.ListValue': { toMessage: listToMessage, toJson: listToJson },
  '.google.protobuf.Timestamp': { toMessage: timestampToMessage, toJson: timestampToJson },
  '.google.protobuf.Duration': { toMessage: durationToMessage, toJson: durationToJson },
  '.google.protobuf.FieldMask': { toMessage: maskToMessage, toJson: maskToJson },
  '.google.protobuf.Any': { toMessage: anyToMessage, toJson: anyToJson },
}

interface StructMessage {
  fields?: { key?: string; value?: ValueMessage }[]
}

interface ListMessage {
  values?: ValueMessage[]
}

/** Exactly one is set. */
interface ValueMessage {
  null_value?: 'NULL_VALUE'
  number_value?: number
  string_value?: string
  bool_value?: boolean
  struct_value?: StructMessage
  list_value?: ListMessage
}

function structToMessage(json: JsonValue, at: string): StructMessage {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid(at, 'an object', json)
  return { fields: Object.entries(json).map(([key, value]) => ({ key, value: valueToMessage(value) })) }
}

function valueToMessage(json: JsonValue): ValueMessage {
  if (json === null) return { null_value: 'NULL_VALUE' }
  if (typeof json === 'number') return { number_value: json }
  if (typeof json === 'string') return { string_value: json }
  if (typeof json === 'boolean') return { bool_value: json }
  return Array.isArray(json) ? { list_value: listToMessage(json) } : { struct_value: structToMessage(json, '') }
}

function listToMessage(json: JsonValue, at = ''): ListMessage {
  if (!Array.isArray(json)) throw invalid(at, 'a list', json)
  return { values: json.map((value) => valueToMessage(value)) }
}

function structToJson(message: StructMessage): JsonObject {
  // `fromEntries` defines fields, so that a key named __proto__ is a key like any other.
  return Object.fromEntries((message.fields ?? []).map(({ key = '', value = {} }) => [key, valueToJson(value)]))
}

function valueToJson(message: ValueMessage): JsonValue {
  if (message.struct_value) return structToJson(message.struct_value)
  if (message.list_value) return listToJson(message.list_value)
  return message.string_value ?? message.number_value ?? message.bool_value ?? null
}

function listToJson(message: ListMessage): JsonValue[] {
  return (message.values ?? []).map(valueToJson)
}

interface TimeMessage {
  seconds?: string
  nanos?: number
}

const instant = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/i
const period = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/

function timestampToMessage(json: JsonValue, at: string): TimeMessage {
  const match = typeof json === 'string' ? instant.exec(json) : null
  const ms = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN
  if (Number.isNaN(ms)) throw invalid(at, 'an instant such as "2030-01-31T08:00:00Z"', json)
  return { seconds: String(ms / 1_000), nanos: nanosOf(match?.[2]) }
}

function timestampToJson({ seconds = '0', nanos = 0 }: TimeMessage): string {
  return new Date(Number(seconds) * 1_000).toISOString().replace('.000Z', `${fraction(nanos)}Z`)
}

function durationToMessage(json: JsonValue, at: string): TimeMessage {
  const match = typeof json === 'string' ? period.exec(json) : null
  if (!match) throw invalid(at, 'a duration such as "1.5s"', json)
  const [, sign = '', seconds = '0', digits] = match
  return { seconds: sign + seconds, nanos: (sign ? -1 : 1) * nanosOf(digits) }
}

function durationToJson({ seconds = '0', nanos = 0 }: TimeMessage): string {
  const sign = seconds.startsWith('-') || nanos < 0 ? '-' : ''
  return `${sign}${seconds.replace('-', '')}${fraction(Math.abs(nanos))}s`
}

function nanosOf(digits = ''): number {
  return Number(digits.padEnd(9, '0'))
}

/** Of a second: nothing, or 3, 6 or 9 digits, as proto3 JSON has it. */
function fraction(nanos: number): string {
  if (nanos === 0) return ''
  return `.${String(nanos)
    .padStart(9, '0')
    .replace(/(000){1,2}$/, '')}`
}

function maskToMessage(json: JsonValue, at: string): { paths: string[] } {
  if (typeof json !== 'string') throw invalid(at, 'field names joined by commas', json)
  const paths = json.split(',').filter((path) => path !== '')
  return { paths: paths.map((path) => path.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)) }
}

function maskToJson(message: { paths?: string[] }): string {
  const camel = (path: string) => path.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  return (message.paths ?? []).map(camel).join(',')
}

function anyToMessage(_json: JsonValue, at: string): never {
  throw new FlowForgeError('INVALID_ARGUMENT', `${at} is set by the server alone`)
}

function anyToJson(message: { type_url?: string; value?: string }): JsonObject {
  return statusDetail(message.type_url ?? '', Buffer.from(message.value ?? '', 'base64'))
}

function invalid(at: string, wanted: string, got: JsonValue): FlowForgeError {
  return new FlowForgeError('INVALID_ARGUMENT', `${at} must be ${wanted}, got ${JSON.stringify(got)}`)
}
