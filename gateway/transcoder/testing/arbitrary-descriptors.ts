import { create, createFileRegistry, type FileRegistry, type MessageInitShape } from '@bufbuild/protobuf'
import {
  DescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
  type FieldDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'

type FieldInit = MessageInitShape<typeof FieldDescriptorProtoSchema>

const scalars = [
  Type.DOUBLE,
  Type.FLOAT,
  Type.INT64,
  Type.UINT64,
  Type.INT32,
  Type.FIXED64,
  Type.FIXED32,
  Type.BOOL,
  Type.STRING,
  Type.BYTES,
  Type.UINT32,
  Type.SFIXED32,
  Type.SFIXED64,
  Type.SINT32,
  Type.SINT64,
]
const mapKeys = scalars.filter((type) => ![Type.DOUBLE, Type.FLOAT, Type.BYTES].includes(type))
const wellKnown = ['Timestamp', 'Duration', 'Struct', 'Value', 'ListValue', 'FieldMask', 'Int64Value', 'BytesValue']
const messages = ['M0', 'M1', 'M2']

/** Fields of random number, type and shape: singular, optional, repeated packed or not, maps, oneofs, recursive messages. */
const field = fc.record({
  name: fc.constantFrom('a', 'b_c', 'd_1', 'e__f', 'value', 'field_name_of_some_length', 'x9', 'json_name', 'g_h_i'),
  number: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 2_000, max: 18_999 }), fc.constant(536_870_911)),
  shape: fc.constantFrom('singular', 'singular', 'optional', 'repeated', 'unpacked', 'map', 'oneof', 'oneof'),
  type: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...scalars) },
    fc.constantFrom('.random.E', ...messages.map((name) => `.random.${name}`)),
    fc.constantFrom(...wellKnown.map((name) => `.google.protobuf.${name}`)),
  ),
  mapKey: fc.constantFrom(...mapKeys),
})

/** A registry with the messages `random.M0` to `random.M2`, which hold each other; Google's own types are those of `base`. */
export function arbitraryDescriptors(base: FileRegistry): fc.Arbitrary<FileRegistry> {
  const fields = fc.uniqueArray(field, { selector: ({ name }) => name, minLength: 1, maxLength: 9 })
  return fc.tuple(fields, fields, fields).map((all) => {
    const google = [...base.files].filter(({ proto }) => proto.name.startsWith('google/protobuf/'))
    const file = create(FileDescriptorProtoSchema, {
      name: 'random.proto',
      package: 'random',
      syntax: 'proto3',
      dependency: google.map(({ proto }) => proto.name),
      messageType: all.map((its, index) => messageOf(messages[index]!, uniqueNumbers(its))),
      enumType: [
        {
          name: 'E',
          value: [-1, 0, 7]
            .toSorted((a) => (a === 0 ? -1 : 1))
            .map((number, index) => ({ name: `E_${index}`, number })),
        },
      ],
    })
    return createFileRegistry(file, (path) => google.find(({ proto }) => proto.name === path))
  })
}

type RandomField = typeof field extends fc.Arbitrary<infer T> ? T : never

function uniqueNumbers(fields: readonly RandomField[]): RandomField[] {
  return [...new Map(fields.map((one) => [one.number, one])).values()]
}

function messageOf(name: string, fields: readonly RandomField[]) {
  const oneofs = fields.some(({ shape }) => shape === 'oneof') ? [{ name: 'choice' }] : []
  const optionals = fields.filter(({ shape }) => shape === 'optional')
  const entries = fields.filter(({ shape }) => shape === 'map')
  return create(DescriptorProtoSchema, {
    name,
    // Those that presence alone makes come last.
    oneofDecl: [...oneofs, ...optionals.map((one) => ({ name: `_${one.name}` }))],
    nestedType: entries.map((one) => ({
      name: entryName(one),
      options: { mapEntry: true },
      field: [
        { name: 'key', number: 1, label: Label.OPTIONAL, type: one.mapKey },
        { name: 'value', number: 2, label: Label.OPTIONAL, ...typeOf(one) },
      ],
    })),
    field: fields.map((one): FieldInit => {
      const common = { name: one.name, number: one.number, jsonName: jsonNameOf(one.name) }
      switch (one.shape) {
        case 'map':
          return { ...common, label: Label.REPEATED, type: Type.MESSAGE, typeName: `.random.${name}.${entryName(one)}` }
        case 'repeated':
          return { ...common, label: Label.REPEATED, ...typeOf(one) }
        case 'unpacked':
          return { ...common, label: Label.REPEATED, ...typeOf(one), options: { packed: false } }
        case 'oneof':
          return { ...common, label: Label.OPTIONAL, ...typeOf(one), oneofIndex: 0 }
        case 'optional':
          return {
            ...common,
            label: Label.OPTIONAL,
            ...typeOf(one),
            proto3Optional: true,
            oneofIndex: oneofs.length + optionals.indexOf(one),
          }
        default:
          return { ...common, label: Label.OPTIONAL, ...typeOf(one) }
      }
    }),
  })
}

/** As protoc has it. */
function jsonNameOf(name: string): string {
  return name.replace(/_+(.?)/g, (_, next: string) => next.toUpperCase())
}

function entryName({ number }: RandomField): string {
  return `Map${number}Entry`
}

function typeOf({ type }: RandomField): Pick<FieldInit, 'type' | 'typeName'> {
  if (typeof type !== 'string') return { type }
  return { type: type === '.random.E' ? Type.ENUM : Type.MESSAGE, typeName: type }
}
