import { ScalarType, type DescMessage, type FileRegistry } from '@bufbuild/protobuf'
import type { WireWriter } from '../wire/writer.ts'
import type { Encoders, WriteMessage } from './encode.ts'
import { depthMax } from './nesting.ts'
import { parseString, scalarCodec } from './scalars.ts'
import { JsonViolation, kindOf } from './violation.ts'
import { parseDuration, parseFieldMask, parseTimestamp, type SecondsAndNanos } from './well-known.ts'

const lengthDelimited = (number: number): number => (number << 3) | 2

/** The encoder of a message whose JSON is not an object of its fields; undefined for all others. */
export function wellKnownEncoder(
  desc: DescMessage,
  encoders: Encoders,
  registry: FileRegistry,
): WriteMessage | undefined {
  switch (desc.typeName) {
    case 'google.protobuf.Timestamp':
      return (writer, value) => writeSecondsAndNanos(writer, parseTimestamp(value))
    case 'google.protobuf.Duration':
      return (writer, value) => writeSecondsAndNanos(writer, parseDuration(value))
    case 'google.protobuf.FieldMask':
      return (writer, value) => {
        for (const path of parseFieldMask(value)) {
          writer.varint(lengthDelimited(1))
          writer.string(path)
        }
      }
    case 'google.protobuf.Struct':
      return writeStruct
    case 'google.protobuf.Value':
      return writeValue
    case 'google.protobuf.ListValue':
      return writeListValue
    case 'google.protobuf.Any':
      return anyEncoder(encoders, registry)
    default:
      return wrapperEncoder(desc)
  }
}

/** The message that a wrapper such as `google.protobuf.Int64Value` is: one scalar field named `value`, number 1. */
export function wrappedScalar(desc: DescMessage): ScalarType | undefined {
  if (!/^google\.protobuf\.(Double|Float|U?Int(32|64)|Bool|String|Bytes)Value$/.test(desc.typeName)) return undefined
  return desc.fields[0]?.scalar
}

function wrapperEncoder(desc: DescMessage): WriteMessage | undefined {
  const type = wrappedScalar(desc)
  if (type === undefined) return undefined
  const scalar = scalarCodec(type)
  return (writer, value) => {
    const parsed = scalar.parse(value)
    if (scalar.isZero(parsed)) return
    writer.varint((1 << 3) | scalar.wireType)
    scalar.write(writer, parsed)
  }
}

function writeSecondsAndNanos(writer: WireWriter, { seconds, nanos }: SecondsAndNanos): void {
  if (seconds !== 0) {
    writer.varint(1 << 3)
    writer.varint64(BigInt(seconds))
  }
  if (nanos !== 0) {
    writer.varint(2 << 3)
    writer.int32(nanos)
  }
}

function writeStruct(writer: WireWriter, value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new JsonViolation(`expected an object, got ${kindOf(value)}`)
  }
  for (const key of Object.keys(value)) {
    writer.varint(lengthDelimited(1))
    const entry = writer.open()
    writer.varint(lengthDelimited(1))
    writer.string(parseString(key))
    writer.varint(lengthDelimited(2))
    const start = writer.open()
    writeValue(writer, (value as Record<string, unknown>)[key], depth + 1)
    writer.close(start)
    writer.close(entry)
  }
}

function writeListValue(writer: WireWriter, value: unknown, depth: number): void {
  if (!Array.isArray(value)) throw new JsonViolation(`expected an array, got ${kindOf(value)}`)
  for (const item of value) {
    writer.varint(lengthDelimited(1))
    const start = writer.open()
    writeValue(writer, item, depth + 1)
    writer.close(start)
  }
}

function writeValue(writer: WireWriter, value: unknown, depth: number): void {
  if (depth > depthMax) throw new JsonViolation(`values are nested more than ${depthMax} deep`)
  switch (typeof value) {
    case 'string':
      writer.varint(lengthDelimited(3))
      writer.string(parseString(value))
      return
    case 'number':
    case 'bigint':
      if (!Number.isFinite(Number(value))) throw new JsonViolation('a number is out of range')
      writer.varint((2 << 3) | 1)
      writer.double(Number(value))
      return
    case 'boolean':
      writer.varint(4 << 3)
      writer.varint(value ? 1 : 0)
      return
    default:
  }
  if (value === null) {
    writer.varint(1 << 3)
    writer.varint(0)
    return
  }
  const isList = Array.isArray(value)
  writer.varint(lengthDelimited(isList ? 6 : 5))
  const start = writer.open()
  if (isList) writeListValue(writer, value, depth)
  else writeStruct(writer, value, depth)
  writer.close(start)
}

function anyEncoder(encoders: Encoders, registry: FileRegistry): WriteMessage {
  return (writer, value, depth) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new JsonViolation(`expected an object, got ${kindOf(value)}`)
    }
    const { '@type': url, ...rest } = value as Record<string, unknown>
    if (url === undefined && Object.keys(rest).length === 0) return
    if (typeof url !== 'string') throw new JsonViolation('an Any needs its type URL', '@type')
    const desc = registry.getMessage(url.slice(url.lastIndexOf('/') + 1))
    if (desc === undefined || !url.includes('/')) throw new JsonViolation('there is no such message type', '@type')
    if (depth > depthMax) throw new JsonViolation(`messages are nested more than ${depthMax} deep`)
    writer.varint(lengthDelimited(1))
    writer.string(url)
    writer.varint(lengthDelimited(2))
    const start = writer.open()
    encoders.message(desc)(writer, hasOwnJson(desc) ? rest['value'] : rest, depth + 1)
    writer.close(start)
  }
}

/** Whether a message's JSON is something else than an object of its fields; inside Any it then sits in `value`. */
export function hasOwnJson(desc: DescMessage): boolean {
  return (
    /^google\.protobuf\.(Timestamp|Duration|FieldMask|Struct|Value|ListValue|Any)$/.test(desc.typeName) ||
    wrappedScalar(desc) !== undefined
  )
}
