import type { DescMessage, FileRegistry } from '@bufbuild/protobuf'
import { WireError, WireReader } from '../wire/reader.ts'
import type { Decoders, ReadMessage } from './decode.ts'
import { decodedDepthMax } from './nesting.ts'
import { hasOwnJson, wrappedScalar } from './encode-well-known.ts'
import { doubleText, scalarCodec } from './scalars.ts'
import { durationText, fieldMaskText, timestampText, type SecondsAndNanos } from './well-known.ts'

/** The decoder of a message whose JSON is not an object of its fields; undefined for all others. */
export function wellKnownDecoder(
  desc: DescMessage,
  decoders: Decoders,
  registry: FileRegistry,
): ReadMessage | undefined {
  switch (desc.typeName) {
    case 'google.protobuf.Timestamp':
      return (reader) => `"${timestampText(readSecondsAndNanos(reader))}"`
    case 'google.protobuf.Duration':
      return (reader) => `"${durationText(readSecondsAndNanos(reader))}"`
    case 'google.protobuf.FieldMask':
      return readFieldMask
    case 'google.protobuf.Struct':
      return readStruct
    case 'google.protobuf.Value':
      return readValue
    case 'google.protobuf.ListValue':
      return readListValue
    case 'google.protobuf.Any':
      return anyDecoder(decoders, registry)
    default:
      return wrapperDecoder(desc)
  }
}

function wrapperDecoder(desc: DescMessage): ReadMessage | undefined {
  const type = wrappedScalar(desc)
  if (type === undefined) return undefined
  const scalar = scalarCodec(type)
  const tagOfValue = (1 << 3) | scalar.wireType
  return (reader) => {
    let text = scalar.zeroText
    while (reader.position < reader.end) {
      const tag = reader.varint()
      if (tag === tagOfValue) text = scalar.text(reader)
      else reader.skip(tag)
    }
    return text
  }
}

function readSecondsAndNanos(reader: WireReader): SecondsAndNanos {
  let seconds = 0
  let nanos = 0
  while (reader.position < reader.end) {
    const tag = reader.varint()
    if (tag === 1 << 3) {
      const low = reader.varint64()
      // Within ±10,000 years, which is all that has a text, this is exact.
      seconds = (reader.high | 0) * 4_294_967_296 + low
    } else if (tag === 2 << 3) nanos = reader.varint() | 0
    else reader.skip(tag)
  }
  return { seconds, nanos }
}

function readFieldMask(reader: WireReader): string {
  const paths: string[] = []
  while (reader.position < reader.end) {
    const tag = reader.varint()
    if (tag === ((1 << 3) | 2)) paths.push(reader.string())
    else reader.skip(tag)
  }
  return JSON.stringify(fieldMaskText(paths))
}

/** Reads something with its length before it as a message of its own. */
function inner(reader: WireReader, depth: number, read: ReadMessage): string {
  if (depth > decodedDepthMax) throw new WireError('values are nested too deeply')
  const length = reader.length()
  const outer = reader.end
  reader.end = reader.position + length
  const text = read(reader, depth)
  reader.end = outer
  return text
}

function readStruct(reader: WireReader, depth: number): string {
  const fields = new Map<string, string>()
  while (reader.position < reader.end) {
    const tag = reader.varint()
    if (tag !== ((1 << 3) | 2)) {
      reader.skip(tag)
      continue
    }
    const length = reader.length()
    const outer = reader.end
    reader.end = reader.position + length
    let key = '""'
    let value = 'null'
    while (reader.position < reader.end) {
      const entryTag = reader.varint()
      if (entryTag === ((1 << 3) | 2)) key = JSON.stringify(reader.string())
      else if (entryTag === ((2 << 3) | 2)) value = inner(reader, depth + 1, readValue)
      else reader.skip(entryTag)
    }
    reader.end = outer
    fields.set(key, value)
  }
  let text = '{'
  for (const [key, value] of fields) text += `${text.length > 1 ? ',' : ''}${key}:${value}`
  return `${text}}`
}

function readListValue(reader: WireReader, depth: number): string {
  let text = ''
  while (reader.position < reader.end) {
    const tag = reader.varint()
    if (tag === ((1 << 3) | 2)) text += `${text === '' ? '' : ','}${inner(reader, depth + 1, readValue)}`
    else reader.skip(tag)
  }
  return `[${text}]`
}

function readValue(reader: WireReader, depth: number): string {
  let text = 'null'
  while (reader.position < reader.end) {
    const tag = reader.varint()
    switch (tag) {
      case 1 << 3:
        reader.varint()
        text = 'null'
        break
      case (2 << 3) | 1: {
        const number = reader.double()
        if (!Number.isFinite(number)) throw new WireError('a Value cannot be NaN or infinite')
        text = doubleText(number)
        break
      }
      case (3 << 3) | 2:
        text = JSON.stringify(reader.string())
        break
      case 4 << 3:
        text = reader.varint() === 0 ? 'false' : 'true'
        break
      case (5 << 3) | 2:
        text = inner(reader, depth, readStruct)
        break
      case (6 << 3) | 2:
        text = inner(reader, depth, readListValue)
        break
      default:
        reader.skip(tag)
    }
  }
  return text
}

function anyDecoder(decoders: Decoders, registry: FileRegistry): ReadMessage {
  return (reader, depth) => {
    if (depth > decodedDepthMax) throw new WireError('messages are nested too deeply')
    let url = ''
    let value: Buffer = Buffer.alloc(0)
    while (reader.position < reader.end) {
      const tag = reader.varint()
      if (tag === ((1 << 3) | 2)) url = reader.string()
      else if (tag === ((2 << 3) | 2)) value = reader.view()
      else reader.skip(tag)
    }
    if (url === '') return '{}'
    const type = JSON.stringify(url)
    const desc = registry.getMessage(url.slice(url.lastIndexOf('/') + 1))
    // A type that nobody described is shown as its bytes: an error detail of a newer service must not hide the error.
    if (desc === undefined) return `{"@type":${type},"value":"${value.toString('base64')}"}`
    const text = decoders.message(desc).read(new WireReader(value), depth + 1)
    if (hasOwnJson(desc)) return `{"@type":${type},"value":${text}}`
    return text === '{}' ? `{"@type":${type}}` : `{"@type":${type},${text.slice(1)}`
  }
}
