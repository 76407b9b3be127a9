/** Streams of events that a caller can take up again where they broke off: `id:` of an event ⇄ `Last-Event-ID`. */
import { ScalarType, type DescMethod, type DescMessage } from '@bufbuild/protobuf'
import type { Tree } from './fields.ts'
import { WireReader } from './wire/reader.ts'

/** Where a stream's messages say what they are, and where a request says what was seen last; dotted paths of string fields. */
export interface ResumeFields {
  /** Of the message, for example `task.etag`. */
  readonly id: string
  /** Of the request itself, for example `etag`. */
  readonly last: string
}

/** The same, compiled. */
export interface Resume {
  /** The ID of a message on the wire; empty if it has none. */
  idOf(message: Buffer): string
  /** Asks for what came after the event of this ID, unless the request says itself what was seen. */
  after(request: Tree, id: string): void
}

/** Compiles the fields; throws when they are not there, or no strings. */
export function compileResume(method: DescMethod, { id, last }: ResumeFields): Resume {
  const numbers = numbersOf(method.output, id)
  numbersOf(method.input, last)
  const field = method.input.fields.find(({ name }) => name === last)!
  return {
    idOf: (message) => stringAt(message, numbers),
    after(request, seen) {
      const given = request[field.jsonName] ?? request[field.name]
      if (given === undefined || given === '') request[field.jsonName] = seen
    },
  }
}

function numbersOf(message: DescMessage, path: string): number[] {
  let current: DescMessage | undefined = message
  let isString = false
  const numbers = path.split('.').map((name) => {
    const field = current?.fields.find((candidate) => candidate.name === name)
    if (field === undefined) throw new Error(`${message.typeName} has no field ${path}`)
    current = field.fieldKind === 'message' ? field.message : undefined
    isString = field.fieldKind === 'scalar' && field.scalar === ScalarType.STRING
    return field.number
  })
  if (!isString) throw new Error(`${message.typeName}.${path} is not a string`)
  return numbers
}

function stringAt(bytes: Uint8Array, numbers: readonly number[]): string {
  const reader = new WireReader(bytes)
  const [number, ...inner] = numbers
  let found = ''
  while (reader.position < reader.end) {
    const tag = reader.varint()
    if (tag !== ((number! << 3) | 2)) reader.skip(tag)
    else found = inner.length > 0 ? stringAt(reader.view(), inner) : reader.string()
  }
  // An ID is one line; one that is not would break the stream apart.
  return /[\r\n\0]/.test(found) ? '' : found
}
