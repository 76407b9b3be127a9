import { fileURLToPath } from 'node:url'
import type { Client as GrpcClient, ClientDuplexStream } from '@grpc/grpc-js'
import {
  loadFileDescriptorSetFromBuffer,
  loadSync,
  type MessageTypeDefinition,
  type PackageDefinition,
  type ServiceDefinition,
} from '@grpc/proto-loader'
import { FlowForgeError } from '@flowforge/sdk/client-error'

/** The parts of google.protobuf.DescriptorProto that say how a message looks. */
export interface MessageDescriptor {
  name: string
  field?: FieldDescriptor[]
  nestedType?: MessageDescriptor[]
  options?: { mapEntry?: boolean }
}

/** The parts of google.protobuf.FieldDescriptorProto that say how a field looks. */
export interface FieldDescriptor {
  name: string
  label?: string
  type: string
  /** Of messages and enums, with a leading dot. */
  typeName?: string
}

/** A file as its server describes it. */
export interface FileDescriptor {
  name: string
  package?: string
  dependency?: string[]
  messageType?: MessageDescriptor[]
  service?: { name: string; method?: { name: string; inputType: string; outputType: string }[] }[]
}

/** What a server says of one of its services. */
export interface Reflection {
  definition: ServiceDefinition
  files: FileDescriptor[]
}

interface ReflectionAnswer {
  fileDescriptorResponse?: { fileDescriptorProto?: Buffer[] }
  errorResponse?: { errorMessage?: string }
}

type ReflectionStream = ClientDuplexStream<object, ReflectionAnswer>

const own = loadSync(fileURLToPath(import.meta.resolve('./reflection.proto')), { enums: String })
const decodeFile = (own['google.protobuf.FileDescriptorProto'] as MessageTypeDefinition<object, FileDescriptor>)
  .deserialize
const encodeSet = (own['grpc.reflection.v1.EncodedFileDescriptorSet'] as MessageTypeDefinition<object, object>)
  .serialize

/** Asks a server for the definition of its service and of every type that the service mentions. */
export async function reflect(client: GrpcClient, serviceName: string): Promise<Reflection> {
  const { ServerReflectionInfo: method } = own['grpc.reflection.v1.ServerReflection'] as ServiceDefinition
  if (!method) throw new Error('reflection.proto lacks its method')
  const stream: ReflectionStream = client.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize as (bytes: Buffer) => ReflectionAnswer,
  )
  try {
    const encoded = new Map<string, Buffer>()
    const files = await collect(stream, serviceName, encoded)
    const loaded = load([...encoded.values()])
    return { definition: loaded[serviceName] as ServiceDefinition, files }
  } finally {
    stream.end()
  }
}

async function collect(
  stream: ReflectionStream,
  symbol: string,
  encoded: Map<string, Buffer>,
): Promise<FileDescriptor[]> {
  const answers = stream[Symbol.asyncIterator]() as AsyncIterator<ReflectionAnswer>
  const files: FileDescriptor[] = []
  // A server may answer with the file alone, or with all that it imports.
  for (
    let request: object | undefined = { fileContainingSymbol: symbol };
    request;
    request = firstMissing(files, encoded)
  ) {
    stream.write(request)
    const { value: answer } = await answers.next()
    for (const bytes of answer?.fileDescriptorResponse?.fileDescriptorProto ?? []) {
      const file = decodeFile(bytes)
      if (!encoded.has(file.name)) files.push(file)
      encoded.set(file.name, bytes)
    }
    if (answer?.fileDescriptorResponse) continue
    throw new FlowForgeError(
      'UNIMPLEMENTED',
      `no reflection of ${symbol}: ${answer?.errorResponse?.errorMessage ?? 'no answer'}`,
    )
  }
  return files
}

function firstMissing(files: FileDescriptor[], known: Map<string, Buffer>): object | undefined {
  const missing = files.flatMap((file) => file.dependency ?? []).find((name) => !known.has(name))
  return missing === undefined ? undefined : { fileByFilename: missing }
}

function load(files: Buffer[]): PackageDefinition {
  return loadFileDescriptorSetFromBuffer(encodeSet({ file: files }), { longs: String, enums: String, bytes: String })
}
