import { FlowForgeError } from '@flowforge/sdk/client-error'
import type { JsonObject, JsonValue } from '@flowforge/sdk/client-resources'
import type { FieldDescriptor, FileDescriptor, MessageDescriptor } from './reflect.ts'
import { wellKnownTypes } from './well-known-types.ts'

/**
 * A message as @grpc/proto-loader takes and gives it for types that a server described: fields by their proto names,
 * enums by name, 64-bit numbers and bytes as strings, maps as lists of `{key, value}`.
 */
export type LoaderMessage = { [field: string]: unknown }

/** Translates between proto3 JSON and the objects of @grpc/proto-loader, by the descriptors of the messages. */
export class ProtoJson {
  readonly #messages = new Map<string, MessageDescriptor>()

  constructor(files: FileDescriptor[]) {
    for (const file of files) this.#add(file.package ? `.${file.package}` : '', file.messageType ?? [])
    for (const [type, { field: fields = [] }] of this.#messages) {
      for (const field of fields) field.typeName = this.resolve(field.typeName, type)
    }
  }

  /**
   * The full name of a type that was named within `scope`.
   *
   * Descriptors that protoc made have full names. Those that protobufjs made, as many servers in Node.js, have names
   * as the source could write them: relative to the message, or to one of the scopes around it.
   */
  resolve(name = '', scope = ''): string {
    if (name === '' || name.startsWith('.')) return name
    for (let outer = scope; outer !== ''; outer = outer.slice(0, outer.lastIndexOf('.'))) {
      if (this.#messages.has(`${outer}.${name}`)) return `${outer}.${name}`
    }
    return `.${name}`
  }

  /** Refuses what proto3 JSON refuses (unknown fields, wrong kinds of value) as INVALID_ARGUMENT. */
  toMessage(type: string, json: JsonValue | undefined, at = ''): unknown {
    const wellKnown = wellKnownTypes[type]
    if (wellKnown) return wellKnown.toMessage(json ?? null, at)
    if (typeof json !== 'object' || json === null || Array.isArray(json)) throw refusal(at, 'an object', json)
    const { field: fields = [] } = this.#message(type)
    const message: LoaderMessage = {}
    for (const [key, value] of Object.entries(json)) {
      const field = fields.find(({ name }) => name === key || jsonName(name) === key)
      const path = at === '' ? key : `${at}.${key}`
      if (!field) throw new FlowForgeError('INVALID_ARGUMENT', `unknown field ${path}`)
      if (value !== null && value !== undefined) message[field.name] = this.#fieldToMessage(field, value, path)
    }
    return message
  }

  toJson(type: string, message: LoaderMessage): JsonValue {
    const wellKnown = wellKnownTypes[type]
    if (wellKnown) return wellKnown.toJson(message)
    const json: JsonObject = {}
    for (const field of this.#message(type).field ?? []) {
      const value = message[field.name]
      if (value !== undefined && value !== null) json[jsonName(field.name)] = this.#fieldToJson(field, value)
    }
    return json
  }

  #fieldToMessage(field: FieldDescriptor, json: JsonValue, at: string): unknown {
    const valueOfMap = this.#valueOfMap(field)
    if (valueOfMap) {
      if (typeof json !== 'object' || Array.isArray(json)) throw refusal(at, 'an object', json)
      return Object.entries(json ?? {}).map(([key, value]) => ({
        key,
        value: this.#valueToMessage(valueOfMap, value, `${at}.${key}`),
      }))
    }
    if (field.label !== 'LABEL_REPEATED') return this.#valueToMessage(field, json, at)
    if (!Array.isArray(json)) throw refusal(at, 'a list', json)
    return json.map((value, index) => this.#valueToMessage(field, value, `${at}[${index}]`))
  }

  #valueToMessage(field: FieldDescriptor, json: JsonValue, at: string): unknown {
    switch (field.type) {
      case 'TYPE_MESSAGE':
        return this.toMessage(field.typeName ?? '', json, at)
      case 'TYPE_STRING':
      case 'TYPE_BYTES':
        if (typeof json !== 'string') throw refusal(at, 'a string', json)
        return json
      case 'TYPE_BOOL':
        if (typeof json !== 'boolean') throw refusal(at, 'true or false', json)
        return json
      case 'TYPE_ENUM':
        return json
      default:
        if (json === '' || Number.isNaN(Number(json)) || typeof json === 'object') throw refusal(at, 'a number', json)
        return json
    }
  }

  #fieldToJson(field: FieldDescriptor, value: unknown): JsonValue {
    const valueOfMap = this.#valueOfMap(field)
    if (valueOfMap) {
      const entries = value as { key: string; value: unknown }[]
      return Object.fromEntries(entries.map((entry) => [entry.key ?? '', this.#valueToJson(valueOfMap, entry.value)]))
    }
    if (Array.isArray(value)) return value.map((item) => this.#valueToJson(field, item))
    return this.#valueToJson(field, value)
  }

  #valueToJson(field: FieldDescriptor, value: unknown): JsonValue {
    if (field.type === 'TYPE_MESSAGE') return this.toJson(field.typeName ?? '', (value ?? {}) as LoaderMessage)
    return (value ?? '') as JsonValue
  }

  #valueOfMap(field: FieldDescriptor): FieldDescriptor | undefined {
    const message = field.type === 'TYPE_MESSAGE' ? this.#messages.get(field.typeName ?? '') : undefined
    return message?.options?.mapEntry ? message.field?.find(({ name }) => name === 'value') : undefined
  }

  #message(type: string): MessageDescriptor {
    const message = this.#messages.get(type)
    if (!message) throw new FlowForgeError('INTERNAL', `the server did not describe ${type}`)
    return message
  }

  #add(scope: string, messages: MessageDescriptor[]): void {
    for (const message of messages) {
      const type = `${scope}.${message.name}`
      this.#messages.set(type, message)
      this.#add(type, message.nestedType ?? [])
    }
  }
}

function jsonName(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

function refusal(at: string, wanted: string, got: JsonValue | undefined): FlowForgeError {
  return new FlowForgeError('INVALID_ARGUMENT', `${at || 'the request'} must be ${wanted}, got ${JSON.stringify(got)}`)
}
