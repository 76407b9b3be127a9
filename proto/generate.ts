/**
 * Generates everything that is derived from the contracts into `proto/gen`:
 *
 * - `descriptors.binpb`, the descriptor set that the gateway, reflection, grpcurl and ghz read;
 * - the TypeScript types, for clients;
 * - the same types once more in `gen/opaque`, where every `google.protobuf.Struct` is `bytes`: the two are the same
 *   on the wire, and a server that only stores a payload has no reason to build objects from it.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { FieldDescriptorProto_Type, FileDescriptorSetSchema, type DescriptorProto } from '@bufbuild/protobuf/wkt'
import { buf, packageFolder } from './buf.ts'

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(here)
const gen = join(here, 'gen')
const making = join(here, 'gen.new')

const googleProtos = [
  'api/annotations',
  'api/client',
  'api/field_behavior',
  'api/http',
  'api/httpbody',
  'api/launch_stage',
  'api/resource',
  'rpc/code',
  'rpc/error_details',
  'rpc/status',
]

/** Runs the whole generation; throws with buf's own message when a contract does not compile. */
export function generate(): void {
  copyGoogleProtos()
  rmSync(making, { recursive: true, force: true })
  mkdirSync(making, { recursive: true })
  const descriptors = join(making, 'descriptors.binpb')
  buf(root, 'build', '--as-file-descriptor-set', '--output', descriptors)
  generateTypes(descriptors, making)
  const opaque = join(making, 'opaque.binpb')
  writeFileSync(opaque, withStructsAsBytes(readFileSync(descriptors)))
  generateTypes(opaque, join(making, 'opaque'))
  rmSync(opaque)
  // All at once, so that whatever starts meanwhile finds the old or the new.
  rmSync(gen, { recursive: true, force: true })
  renameSync(making, gen)
}

function copyGoogleProtos(): void {
  const source = join(packageFolder('google-gax'), 'build/protos/google')
  for (const name of googleProtos)
    cpSync(join(source, `${name}.proto`), join(here, 'googleapis/google', `${name}.proto`))
}

function generateTypes(input: string, out: string): void {
  const template = {
    version: 'v2',
    plugins: [
      {
        local: join(packageFolder('ts-proto'), 'protoc-gen-ts_proto'),
        out,
        include_imports: true,
        opt: [
          'importSuffix=.ts',
          'enumsAsLiterals=true',
          'oneof=unions-value',
          'forceLong=bigint',
          'esModuleInterop=true',
          'outputServices=grpc-js',
          'outputJsonMethods=false',
          'outputPartialMethods=true',
          'useExactTypes=false',
        ],
      },
    ],
  }
  buf(root, 'generate', input, '--template', JSON.stringify(template))
  for (const name of readdirSync(out, { recursive: true, encoding: 'utf8' }))
    if (name.endsWith('.ts')) keepWriters(join(out, name))
}

/** Lets generated code encode with the writers of writer.ts; ts-proto would make a new one for each message. */
function keepWriters(file: string): void {
  const code = readFileSync(file, 'utf8')
  const kept = code.replaceAll('writer: BinaryWriter = new BinaryWriter()', 'writer: BinaryWriter = emptyWriter()')
  if (kept === code) return
  const wire = /^import .* from "@bufbuild\/protobuf\/wire";$/m
  writeFileSync(file, kept.replace(wire, `$&\nimport { emptyWriter } from "@flowforge/proto/writer";`))
}

function withStructsAsBytes(set: Uint8Array): Uint8Array {
  const image = fromBinary(FileDescriptorSetSchema, set)
  const visit = (message: DescriptorProto): void => {
    for (const field of message.field) {
      if (field.typeName !== '.google.protobuf.Struct') continue
      field.type = FieldDescriptorProto_Type.BYTES
      field.typeName = ''
      // `optional`, so that an absent payload and an empty one stay two things.
      field.proto3Optional = true
      field.oneofIndex = message.oneofDecl.length
      message.oneofDecl.push({ $typeName: 'google.protobuf.OneofDescriptorProto', name: `_${field.name}` })
    }
    message.nestedType.forEach(visit)
  }
  for (const file of image.file) if (file.package.startsWith('flowforge.')) file.messageType.forEach(visit)
  return toBinary(FileDescriptorSetSchema, image)
}
