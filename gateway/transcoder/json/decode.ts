/**
 * Wire to proto3 JSON text: every message of a descriptor set is compiled once into functions that write JSON
 * straight from the bytes; no message object exists in between.
 */
import { ScalarType, type DescEnum, type DescField, type DescMessage, type FileRegistry } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import { WireError, WireReader } from '../wire/reader.ts'
import { wellKnownDecoder } from './decode-well-known.ts'
import { decodedDepthMax } from './nesting.ts'
import { scalarCodec } from './scalars.ts'

/** Reads the message between the reader's position and its end, and answers its JSON text. */
export type ReadMessage = (reader: WireReader, depth: number) => string

interface FieldDecoder {
  readonly index: number
  readonly desc: DescField
  /** The wire type of a single value. */
  readonly wireType: number
  readonly kind: 'single' | 'list' | 'map'
  /** Text that means absent, for fields without presence. */
  readonly absent: string | undefined
  /** Other fields of the same oneof. */
  readonly rivals: readonly number[]
  text(reader: WireReader, depth: number): string
  /** For maps: the JSON texts of an entry's key and value. */
  entry?(reader: WireReader, depth: number): [key: string, value: string]
}

type Slot = string | Map<string, string> | undefined

/** A compiled message type. */
export interface MessageDecoder {
  readonly read: ReadMessage
  /** The JSON text of one field of the message, or of its zero when absent. */
  readField(reader: WireReader, field: DescField): string
}

/** Compiles decoders on first use and keeps them. */
export class Decoders {
  readonly #messages = new Map<string, MessageDecoder>()
  readonly #registry: FileRegistry

  constructor(registry: FileRegistry) {
    this.#registry = registry
  }

  /** The decoder of a message type. */
  message(desc: DescMessage): MessageDecoder {
    const known = this.#messages.get(desc.typeName)
    if (known !== undefined) return known
    const compiled: { -readonly [key in keyof MessageDecoder]: MessageDecoder[key] } = {
      read: () => '{}',
      readField: () => 'null',
    }
    // Recursive messages meet themselves while they compile, so the entry must exist before its content does.
    this.#messages.set(desc.typeName, compiled)
    const table = new FieldTable(desc, this)
    compiled.readField = (reader, field) => table.readField(reader, field)
    compiled.read = wellKnownDecoder(desc, this, this.#registry) ?? ((reader, depth) => table.read(reader, depth))
    return compiled
  }

  /** Reads one value of a field: of its element when the field is a list, of its value when it is a map. */
  value(field: DescField): { wireType: number; text(reader: WireReader, depth: number): string } {
    if (field.message !== undefined) {
      const decoder = this.message(field.message)
      return { wireType: 2, text: (reader, depth) => nested(reader, depth, decoder.read) }
    }
    if (field.enum !== undefined) return { wireType: 0, text: enumText(field.enum) }
    return scalarCodec(field.scalar as ScalarType)
  }
}

class FieldTable {
  readonly #byNumber = new Map<number, FieldDecoder>()
  readonly #keys: string[]
  /** Nothing seen yet: copied for each message, which is cheaper than filling. */
  readonly #empty: Slot[]
  readonly #lists: number[]

  constructor(desc: DescMessage, decoders: Decoders) {
    this.#keys = desc.fields.map((field) => `${JSON.stringify(field.jsonName)}:`)
    this.#empty = desc.fields.map(() => undefined)
    this.#lists = desc.fields.flatMap((field, index) => (field.fieldKind === 'list' ? [index] : []))
    desc.fields.forEach((field, index) => this.#byNumber.set(field.number, fieldDecoder(desc, field, index, decoders)))
  }

  read(reader: WireReader, depth: number): string {
    const slots = this.#slots(reader, depth)
    let text = '{'
    for (let index = 0; index < slots.length; index++) {
      const slot = slots[index]
      if (slot === undefined) continue
      if (text.length > 1) text += ','
      text += this.#keys[index]
      text += typeof slot === 'string' ? slot : mapText(slot)
    }
    return `${text}}`
  }

  readField(reader: WireReader, desc: DescField): string {
    const slot = this.#slots(reader, 0)[this.#byNumber.get(desc.number)!.index]
    if (slot === undefined) return zeroText(desc)
    return typeof slot === 'string' ? slot : mapText(slot)
  }

  #slots(reader: WireReader, depth: number): Slot[] {
    if (depth > decodedDepthMax) throw new WireError('messages are nested too deeply')
    const start = reader.position
    const slots: Slot[] = this.#empty.slice()
    while (reader.position < reader.end) {
      const tag = reader.varint()
      const field = this.#byNumber.get(tag >>> 3)
      if (tag >>> 3 === 0) throw new WireError('field number 0 does not exist')
      if (field === undefined) reader.skip(tag)
      else if (field.kind === 'single') this.#single(reader, tag, field, slots, start, depth)
      else if (field.kind === 'list') readList(reader, tag, field, slots, depth)
      else readMapEntry(reader, tag, field, slots, depth)
    }
    for (const index of this.#lists) {
      const slot = slots[index]
      if (slot !== undefined) slots[index] = `[${slot as string}]`
    }
    return slots
  }

  #single(reader: WireReader, tag: number, field: FieldDecoder, slots: Slot[], start: number, depth: number): void {
    if ((tag & 7) !== field.wireType) return reader.skip(tag)
    const isRepeatedMessage = slots[field.index] !== undefined && field.desc.message !== undefined
    let text: string
    if (isRepeatedMessage) {
      // Protobuf merges a message that comes twice, which is what decoding both halves as one does.
      reader.skip(tag)
      const merged = occurrences(reader, start, field.desc.number)
      text = field.text(merged, depth)
    } else text = field.text(reader, depth)
    slots[field.index] = text === field.absent ? undefined : text
    for (const rival of field.rivals) slots[rival] = undefined
  }
}

function fieldDecoder(message: DescMessage, desc: DescField, index: number, decoders: Decoders): FieldDecoder {
  if (desc.fieldKind === 'message' && desc.delimitedEncoding)
    throw new Error(`${desc.toString()}: groups are not supported`)
  const value = decoders.value(desc)
  const rivals =
    desc.oneof?.fields.filter((other) => other !== desc).map((other) => message.fields.indexOf(other)) ?? []
  const isImplicit = desc.presence === FeatureSet_FieldPresence.IMPLICIT && desc.fieldKind !== 'message'
  if (desc.fieldKind === 'map') {
    return {
      index,
      desc,
      wireType: 2,
      kind: 'map',
      absent: undefined,
      rivals,
      text: value.text,
      entry: mapEntry(desc, value),
    }
  }
  return {
    index,
    desc,
    wireType: value.wireType,
    kind: desc.fieldKind === 'list' ? 'list' : 'single',
    absent: isImplicit ? zeroText(desc) : undefined,
    rivals,
    text: value.text,
  }
}

function readList(reader: WireReader, tag: number, field: FieldDecoder, slots: Slot[], depth: number): void {
  const wireType = tag & 7
  const isPacked = wireType === 2 && field.wireType !== 2
  if (!isPacked && wireType !== field.wireType) return reader.skip(tag)
  let text = (slots[field.index] as string | undefined) ?? ''
  if (!isPacked) {
    text += text === '' ? field.text(reader, depth) : `,${field.text(reader, depth)}`
  } else {
    const length = reader.length()
    const outer = reader.end
    reader.end = reader.position + length
    while (reader.position < reader.end)
      text += text === '' ? field.text(reader, depth) : `,${field.text(reader, depth)}`
    reader.end = outer
  }
  if (text !== '') slots[field.index] = text
}

function readMapEntry(reader: WireReader, tag: number, field: FieldDecoder, slots: Slot[], depth: number): void {
  if ((tag & 7) !== 2) return reader.skip(tag)
  const map = (slots[field.index] as Map<string, string> | undefined) ?? new Map<string, string>()
  slots[field.index] = map
  map.set(...field.entry!(reader, depth))
}

function mapEntry(desc: DescField & { fieldKind: 'map' }, value: ReturnType<Decoders['value']>): FieldDecoder['entry'] {
  const key = scalarCodec(desc.mapKey)
  const zeroValue = desc.message === undefined ? zeroText(desc, true) : undefined
  return (reader, depth) => {
    const length = reader.length()
    const outer = reader.end
    reader.end = reader.position + length
    let keyText = key.zeroText
    let valueText: string | undefined
    while (reader.position < reader.end) {
      const tag = reader.varint()
      if (tag === ((1 << 3) | key.wireType)) keyText = key.text(reader)
      else if (tag === ((2 << 3) | value.wireType)) valueText = value.text(reader, depth)
      else reader.skip(tag)
    }
    reader.end = outer
    valueText ??= zeroValue ?? value.text(new WireReader(Buffer.of(0)), depth)
    return [keyText.startsWith('"') ? keyText : `"${keyText}"`, valueText]
  }
}

function nested(reader: WireReader, depth: number, read: ReadMessage): string {
  const length = reader.length()
  const outer = reader.end
  reader.end = reader.position + length
  const text = read(reader, depth + 1)
  reader.position = reader.end
  reader.end = outer
  return text
}

/** All occurrences of one message field between `start` and the reader's position, joined, with a length before them. */
function occurrences(reader: WireReader, start: number, number: number): WireReader {
  const parts: Buffer[] = []
  const scan = new WireReader(reader.bytes, start, reader.position)
  while (scan.position < scan.end) {
    const tag = scan.varint()
    if (tag === ((number << 3) | 2)) parts.push(scan.view())
    else scan.skip(tag)
  }
  const joined = Buffer.concat(parts)
  const length: number[] = []
  for (let rest = joined.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest <= 127) break
  }
  return new WireReader(Buffer.concat([Buffer.from(length), joined]))
}

function enumText(desc: DescEnum): (reader: WireReader) => string {
  if (desc.typeName === 'google.protobuf.NullValue') {
    return (reader) => {
      reader.varint()
      return 'null'
    }
  }
  const names = new Map<number, string>()
  for (const value of desc.values) if (!names.has(value.number)) names.set(value.number, JSON.stringify(value.name))
  return (reader) => {
    const number = reader.varint() | 0
    return names.get(number) ?? String(number)
  }
}

function mapText(map: Map<string, string>): string {
  let text = '{'
  for (const [key, value] of map) text += `${text.length > 1 ? ',' : ''}${key}:${value}`
  return `${text}}`
}

/** The JSON text of a field that is absent. */
function zeroText(desc: DescField, ofMapValue = false): string {
  if (desc.fieldKind === 'list') return '[]'
  if (desc.fieldKind === 'map' && !ofMapValue) return '{}'
  if (desc.message !== undefined) return 'null'
  if (desc.enum !== undefined) {
    if (desc.enum.typeName === 'google.protobuf.NullValue') return 'null'
    return JSON.stringify(desc.enum.values.find((value) => value.number === 0)?.name ?? desc.enum.values[0]?.name)
  }
  return scalarCodec(desc.scalar as ScalarType).zeroText
}
