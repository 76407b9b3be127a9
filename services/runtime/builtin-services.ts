/** What every server offers besides its own services: `grpc.health.v1` and reflection, to every identity of ours. */
import {
  type Server,
  type ServiceDefinition,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { ReflectionService } from '@grpc/reflection'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { descriptorSet } from '@flowforge/proto/descriptors'
import type { EnumTypeDefinition } from '@grpc/proto-loader'
import { HealthImplementation } from 'grpc-health-check'
import type { SurfaceCall } from './call-context.ts'
import type { GrpcServer } from './grpc/server.ts'
import type { Health } from './health.ts'
import { decoded, guarded, servedMethod, type ServerScope } from './served-method.ts'
import type { Service } from './server.ts'
import { toServiceError } from './status.ts'

type BuiltinHandler = (call: SurfaceCall & { request?: unknown }, callback?: (error: unknown) => void) => void

export function addBuiltinServices(server: GrpcServer, services: Service[], health: Health, scope: ServerScope): void {
  const names = services.flatMap(({ definition }) => Object.values(definition).slice(0, 1).map(serviceName))
  const target = {
    addService: (definition: ServiceDefinition, implementation: UntypedServiceImplementation) =>
      admitting(server, definition, implementation, scope),
  }
  addHealth(target as unknown as Server, names, health)
  addReflection(target as unknown as Server, names)
}

function serviceName({ path }: { path: string }): string {
  return path.split('/')[1]!
}

function addHealth(target: Server, names: string[], health: Health): void {
  const statusOf = (isReady: boolean) => (isReady ? 'SERVING' : 'NOT_SERVING')
  const all = ['', ...names]
  const implementation = new HealthImplementation(
    Object.fromEntries(all.map((name) => [name, statusOf(health.isReady())])),
  )
  health.onChange((isReady) => {
    for (const name of all) implementation.setStatus(name, statusOf(isReady))
  })
  implementation.addToServer(target)
}

function addReflection(target: Server, names: string[]): void {
  const { file } = fromBinary(FileDescriptorSetSchema, descriptorSet())
  const fileDescriptorProtos = file.map((one) => Buffer.from(toBinary(FileDescriptorProtoSchema, one)))
  const contracts: EnumTypeDefinition = {
    format: 'Protocol Buffer 3 EnumDescriptorProto',
    type: {},
    fileDescriptorProtos,
  }
  new ReflectionService({ contracts }, { services: names }).addToServer(target)
}

/** Adds a library's service, with our admission before each of its handlers. */
function admitting(
  server: GrpcServer,
  definition: ServiceDefinition,
  implementation: UntypedServiceImplementation,
  scope: ServerScope,
): void {
  const guardedDefinition: Record<string, ServiceDefinition[string]> = {}
  const admittingImplementation: Record<string, UntypedHandleCall> = {}
  for (const [name, method] of Object.entries(definition)) {
    const served = servedMethod(method.path, undefined, scope)
    const handler = (implementation[name] ?? implementation[method.originalName ?? '']) as BuiltinHandler
    guardedDefinition[name] = guarded(method, scope.log)
    const admitted: BuiltinHandler = (call, callback) => {
      try {
        served.admit(call, performance.now())
        decoded(call.request)
      } catch (error) {
        const told = toServiceError(error, scope.log)
        if (callback) callback(told)
        else call.emit('error', told)
        return
      }
      handler(call, callback)
    }
    admittingImplementation[name] = admitted as UntypedHandleCall
  }
  server.addService(guardedDefinition, admittingImplementation)
}
