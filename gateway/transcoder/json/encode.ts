/**
 * proto3 JSON to wire: every message of a descriptor set is compiled once into functions that write the wire form
 * straight from what JSON.parse returned; no message object exists in between.
 */
import { ScalarType, type DescEnum, type DescField, type DescMessage, type FileRegistry } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import { WireWriter } from '../wire/writer.ts'
import { depthMax } from './nesting.ts'
import { scalarCodec } from './scalars.ts'
import { JsonViolation, kindOf } from './violation.ts'
import { wellKnownEncoder } from './encode-well-known.ts'

/** Writes the content of one message: no tag, no length. */
export type WriteMessage = (writer: WireWriter, value: unknown, depth: number) => void

/** A value that a field holds. */
export interface ValueEncoder {
  readonly wireType: number
  /** Checks a JSON value and makes it what `write` takes. */
  parse(value: unknown): unknown
  /** Whether a field without presence leaves the value out. */
  isZero(value: unknown): boolean
  /** Writes it without a tag. */
  write(writer: WireWriter, value: unknown, depth: number): void
  /** Whether `null` is a value here (NullValue, Value) and not the absence of one. */
  readonly takesNull: boolean
}

interface FieldEncoder {
  readonly name: string
  readonly jsonName: string
  readonly oneof: string | undefined
  readonly takesNull: boolean
  write(writer: WireWriter, value: unknown, depth: number): void
}

/** Compiles encoders on first use and keeps them. */
export class Encoders {
  readonly #messages = new Map<string, WriteMessage>()
  readonly #registry: FileRegistry
  readonly #unknown: 'refused' | 'skipped'

  /** @param unknown What becomes of fields that a message does not have. */
  constructor(registry: FileRegistry, unknown: 'refused' | 'skipped') {
    this.#registry = registry
    this.#unknown = unknown
  }

  /** The encoder of a message type. */
  message(desc: DescMessage): WriteMessage {
    const known = this.#messages.get(desc.typeName)
    if (known !== undefined) return known
    // Recursive messages meet themselves while they compile, so the entry must exist before its content does.
    let compiled: WriteMessage = () => undefined
    this.#messages.set(desc.typeName, (writer, value, depth) => compiled(writer, value, depth))
    compiled = wellKnownEncoder(desc, this, this.#registry) ?? this.#compile(desc)
    this.#messages.set(desc.typeName, compiled)
    return compiled
  }

  /** The encoder of a single value of a field: of its element when the field is a list. */
  value(field: DescField): ValueEncoder {
    if (field.message !== undefined) return messageValue(this.message(field.message), field.message.typeName)
    if (field.enum !== undefined) return enumValue(field.enum)
    return { ...scalarCodec(field.scalar as ScalarType), takesNull: false }
  }

  #compile(desc: DescMessage): WriteMessage {
    const fields = new Map<string, FieldEncoder>()
    for (const field of desc.fields) {
      const encoder = this.#field(field)
      fields.set(field.jsonName, encoder)
      fields.set(field.name, encoder)
    }
    const skipsUnknown = this.#unknown === 'skipped'
    return (writer, value, depth) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new JsonViolation(`expected an object, got ${kindOf(value)}`)
      }
      if (depth > depthMax) throw new JsonViolation(`messages are nested more than ${depthMax} deep`)
      writeFields(fields, writer, value as Record<string, unknown>, depth, skipsUnknown)
    }
  }

  #field(field: DescField): FieldEncoder {
    const oneof = field.oneof?.name
    const base = { name: field.name, jsonName: field.jsonName, oneof }
    if (field.fieldKind === 'map') return { ...base, takesNull: false, write: this.#map(field) }
    const value = this.value(field)
    if (field.fieldKind === 'list') return { ...base, takesNull: false, write: listWriter(field, value) }
    if (field.fieldKind === 'message' && field.delimitedEncoding)
      throw new Error(`${field.toString()}: groups are not supported`)
    const tag = (field.number << 3) | value.wireType
    const leavesOutZero = field.presence === FeatureSet_FieldPresence.IMPLICIT
    return {
      ...base,
      takesNull: value.takesNull,
      write(writer, json, depth) {
        const parsed = value.parse(json)
        if (leavesOutZero && value.isZero(parsed)) return
        writer.varint(tag)
        value.write(writer, parsed, depth)
      },
    }
  }

  #map(field: DescField & { fieldKind: 'map' }): FieldEncoder['write'] {
    const key = scalarCodec(field.mapKey)
    const value = this.value(field)
    const parseKey = field.mapKey === ScalarType.BOOL ? parseBoolKey : key.parse
    const tag = (field.number << 3) | 2
    const keyTag = (1 << 3) | key.wireType
    const valueTag = (2 << 3) | value.wireType
    return (writer, json, depth) => {
      if (typeof json !== 'object' || json === null || Array.isArray(json)) {
        throw new JsonViolation(`expected an object, got ${kindOf(json)}`)
      }
      for (const [name, item] of Object.entries(json)) {
        try {
          if (item === null && !value.takesNull) throw new JsonViolation('null is not a value here')
          const parsedKey = parseKey(name)
          const parsed = value.parse(item)
          writer.varint(tag)
          const start = writer.open()
          writer.varint(keyTag)
          key.write(writer, parsedKey)
          writer.varint(valueTag)
          value.write(writer, parsed, depth)
          writer.close(start)
        } catch (error) {
          throw error instanceof JsonViolation ? error.under(`[${JSON.stringify(name)}]`) : error
        }
      }
    }
  }
}

function writeFields(
  fields: Map<string, FieldEncoder>,
  writer: WireWriter,
  object: Record<string, unknown>,
  depth: number,
  skipsUnknown: boolean,
): void {
  let oneofs: string[] | undefined
  for (const key of Object.keys(object)) {
    const field = fields.get(key)
    if (field === undefined) {
      if (skipsUnknown) continue
      throw new JsonViolation('there is no such field', key)
    }
    const value = object[key]
    if (key !== field.jsonName && Object.hasOwn(object, field.jsonName)) {
      throw new JsonViolation(`given twice, as ${field.name} and as ${field.jsonName}`, field.name)
    }
    if (value === undefined || (value === null && !field.takesNull)) continue
    if (field.oneof !== undefined) {
      if (oneofs === undefined) oneofs = [field.oneof]
      else if (oneofs.includes(field.oneof))
        throw new JsonViolation(`only one field of ${field.oneof} can be set`, field.name)
      else oneofs.push(field.oneof)
    }
    try {
      field.write(writer, value, depth)
    } catch (error) {
      throw error instanceof JsonViolation ? error.under(field.name) : error
    }
  }
}

function listWriter(field: DescField & { fieldKind: 'list' }, value: ValueEncoder): FieldEncoder['write'] {
  const isPacked = field.packed && value.wireType !== 2
  const tag = (field.number << 3) | (isPacked ? 2 : value.wireType)
  return (writer, json, depth) => {
    if (!Array.isArray(json)) throw new JsonViolation(`expected an array, got ${kindOf(json)}`)
    if (json.length === 0) return
    let start = 0
    if (isPacked) {
      writer.varint(tag)
      start = writer.open()
    }
    for (let index = 0; index < json.length; index++) {
      try {
        const item: unknown = json[index]
        if (item === null && !value.takesNull) throw new JsonViolation('null is not a value here')
        const parsed = value.parse(item)
        if (!isPacked) writer.varint(tag)
        value.write(writer, parsed, depth)
      } catch (error) {
        throw error instanceof JsonViolation ? error.under(`[${index}]`) : error
      }
    }
    if (isPacked) writer.close(start)
  }
}

function messageValue(write: WriteMessage, typeName: string): ValueEncoder {
  return {
    wireType: 2,
    takesNull: typeName === 'google.protobuf.Value',
    parse: (value) => value,
    isZero: () => false,
    write(writer, value, depth) {
      const start = writer.open()
      write(writer, value, depth + 1)
      writer.close(start)
    },
  }
}

function enumValue(desc: DescEnum): ValueEncoder {
  const numbers = new Map(desc.values.map((value) => [value.name, value.number]))
  const isNull = desc.typeName === 'google.protobuf.NullValue'
  const int32 = scalarCodec(ScalarType.INT32)
  return {
    wireType: 0,
    takesNull: isNull,
    parse(value) {
      if (isNull && value === null) return 0
      if (typeof value === 'string') {
        const number = numbers.get(value)
        if (number === undefined) throw new JsonViolation(`${JSON.stringify(value.slice(0, 64))} is not a ${desc.name}`)
        return number
      }
      if (typeof value !== 'number') throw new JsonViolation(`expected a ${desc.name}, got ${kindOf(value)}`)
      if (!desc.open && !desc.values.some((known) => known.number === value))
        throw new JsonViolation(`${value} is not a ${desc.name}`)
      return int32.parse(value)
    },
    isZero: int32.isZero,
    write: int32.write,
  }
}

function parseBoolKey(value: unknown): boolean {
  if (value !== 'true' && value !== 'false') throw new JsonViolation('the key is neither "true" nor "false"')
  return value === 'true'
}
