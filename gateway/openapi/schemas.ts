/** Messages and enums as JSON Schema 2020-12, in their proto3 JSON form. */
import { ScalarType, type DescEnum, type DescField, type DescMessage, type FileRegistry } from '@bufbuild/protobuf'
import { behaviorOf } from './behavior.ts'
import { commentOf } from './comments.ts'

export type Schema = Readonly<Record<string, unknown>>

const integer = (format: string, minimum: number, maximum: number): Schema => ({
  type: 'integer',
  format,
  minimum,
  maximum,
})
// 64 bits do not fit into a JSON number as most readers have it.
const long: Schema = { type: 'string', format: 'int64', pattern: '^-?[0-9]{1,19}$' }
const unsignedLong: Schema = { type: 'string', format: 'uint64', pattern: '^[0-9]{1,20}$' }
const floating: Schema = { oneOf: [{ type: 'number' }, { type: 'string', enum: ['NaN', 'Infinity', '-Infinity'] }] }
const int32 = integer('int32', -2_147_483_648, 2_147_483_647)
const uint32 = integer('uint32', 0, 4_294_967_295)

const scalars: Readonly<Record<ScalarType, Schema>> = {
  [ScalarType.DOUBLE]: floating,
  [ScalarType.FLOAT]: floating,
  [ScalarType.INT64]: long,
  [ScalarType.SINT64]: long,
  [ScalarType.SFIXED64]: long,
  [ScalarType.UINT64]: unsignedLong,
  [ScalarType.FIXED64]: unsignedLong,
  [ScalarType.INT32]: int32,
  [ScalarType.SINT32]: int32,
  [ScalarType.SFIXED32]: int32,
  [ScalarType.UINT32]: uint32,
  [ScalarType.FIXED32]: uint32,
  [ScalarType.BOOL]: { type: 'boolean' },
  [ScalarType.STRING]: { type: 'string' },
  [ScalarType.BYTES]: { type: 'string', contentEncoding: 'base64' },
}

const nullable = (schema: Schema): Schema => ({ oneOf: [schema, { type: 'null' }] })

/** Messages whose JSON form is not that of their fields. */
const wellKnown: Readonly<Record<string, Schema>> = {
  'google.protobuf.Timestamp': { type: 'string', format: 'date-time' },
  'google.protobuf.Duration': {
    type: 'string',
    pattern: '^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$',
    description: 'Seconds: `1.5s`.',
  },
  'google.protobuf.FieldMask': { type: 'string', description: 'Names of fields, joined by commas.' },
  'google.protobuf.Empty': { type: 'object', additionalProperties: false },
  'google.protobuf.Struct': { type: 'object', additionalProperties: true },
  'google.protobuf.Value': {},
  'google.protobuf.ListValue': { type: 'array', items: {} },
  'google.protobuf.Any': {
    type: 'object',
    properties: { '@type': { type: 'string' } },
    required: ['@type'],
    additionalProperties: true,
  },
  'google.protobuf.DoubleValue': nullable(floating),
  'google.protobuf.FloatValue': nullable(floating),
  'google.protobuf.Int64Value': nullable(long),
  'google.protobuf.UInt64Value': nullable(unsignedLong),
  'google.protobuf.Int32Value': nullable(int32),
  'google.protobuf.UInt32Value': nullable(uint32),
  'google.protobuf.BoolValue': nullable({ type: 'boolean' }),
  'google.protobuf.StringValue': nullable({ type: 'string' }),
  'google.protobuf.BytesValue': nullable({ type: 'string', contentEncoding: 'base64' }),
}

/** Whether a message's JSON form is not that of its fields. */
export function isWellKnown(typeName: string): boolean {
  return typeName in wellKnown
}

/** Collects the schemas that others refer to. */
export class SchemaBook {
  readonly #registry: FileRegistry
  readonly #schemas = new Map<string, Schema>()

  constructor(registry: FileRegistry) {
    this.#registry = registry
  }

  /** By name, in the order of their names: `components.schemas`. */
  get schemas(): Record<string, Schema> {
    return Object.fromEntries([...this.#schemas].toSorted(([one], [other]) => (one < other ? -1 : 1)))
  }

  /** A reference to a message's schema, or the schema itself of a well-known one. */
  message(desc: DescMessage): Schema {
    const known = wellKnown[desc.typeName]
    if (known !== undefined) return known
    return this.#refer(desc, () => ({
      type: 'object',
      ...described(commentOf(desc)),
      properties: Object.fromEntries(desc.fields.map((field) => [field.jsonName, this.field(field)])),
      additionalProperties: false,
    }))
  }

  /** A field's schema with its comment. */
  field(field: DescField): Schema {
    const { isReadOnly, isWriteOnly } = behaviorOf(this.#registry, field)
    return {
      ...this.#value(field),
      ...described(commentOf(field)),
      ...(isReadOnly && { readOnly: true }),
      ...(isWriteOnly && { writeOnly: true }),
    }
  }

  #value(field: DescField): Schema {
    switch (field.fieldKind) {
      case 'scalar':
        return scalars[field.scalar]
      case 'enum':
        return this.#enum(field.enum)
      case 'message':
        return this.message(field.message)
      case 'list':
        return { type: 'array', items: this.#single(field) }
      case 'map':
        return { type: 'object', additionalProperties: this.#single(field) }
    }
  }

  #single(field: DescField & { fieldKind: 'list' | 'map' }): Schema {
    if (field.enum !== undefined) return this.#enum(field.enum)
    return field.message === undefined ? scalars[field.scalar!] : this.message(field.message)
  }

  #enum(desc: DescEnum): Schema {
    if (desc.typeName === 'google.protobuf.NullValue') return { type: 'null' }
    return this.#refer(desc, () => {
      const values = desc.values
        .map((value) => [value.name, commentOf(value)] as const)
        .filter(([, comment]) => comment !== '')
      const list = values.map(([name, comment]) => `- \`${name}\`: ${comment}`).join('\n')
      return {
        type: 'string',
        ...described([commentOf(desc), list].filter((text) => text !== '').join('\n\n')),
        enum: desc.values.map(({ name }) => name),
      }
    })
  }

  #refer(desc: DescMessage | DescEnum, make: () => Schema): Schema {
    const name = schemaName(desc)
    if (!this.#schemas.has(name)) {
      // First the place, so that a type that holds itself finds it.
      this.#schemas.set(name, {})
      this.#schemas.set(name, make())
    }
    return { $ref: `#/components/schemas/${name}` }
  }
}

/** `flowforge.tasks.v1.Task` as `Task`, one inside another as `Outer.Inner`, others' types with their package. */
function schemaName({ typeName, file }: DescMessage | DescEnum): string {
  const own = typeName.slice(file.proto.package.length + 1)
  return file.proto.package.startsWith('flowforge.') ? own : typeName
}

function described(description: string): { description?: string } {
  return description === '' ? {} : { description }
}
