/**
 * The gRPC server of every service. A call passes, in this order and visibly:
 *
 *     mTLS handshake → route → identity → policy → rate → decoded request → deadline, span, metrics → handler → status
 */
import {
  logVerbosity,
  setLogVerbosity,
  type MethodDefinition,
  type ServiceDefinition,
  type UntypedHandleCall,
} from '@grpc/grpc-js'
import { addBuiltinServices } from './builtin-services.ts'
import type { ActiveCall } from './call-context.ts'
import { GrpcServer } from './grpc/server.ts'
import { handleBidi, handleServerStream, type BidiHandler, type ServerStreamHandler } from './handle-stream.ts'
import { handleUnary, type UnaryHandler } from './handle-unary.ts'
import type { Health } from './health.ts'
import { listenError } from './listen.ts'
import { Places } from '@flowforge/grpc/places'
import { splitAddress } from '@flowforge/grpc/split-address'
import type { Logger } from './log.ts'
import { loadPolicies, loadPortRate, type MethodPolicy } from './policy.ts'
import { rateLimit, type RateLimit } from './rate-limit.ts'
import { guarded, servedMethod, type ServerScope } from './served-method.ts'
import { unavailable } from './status.ts'
import { refuseUnknownMethods } from './unknown-method.ts'
import type { Workload } from './workload.ts'

export type { CallContext } from './call-context.ts'
export type { BidiCall, BidiHandler, ServerStreamHandler } from './handle-stream.ts'
export type { UnaryHandler } from './handle-unary.ts'

/** A request of this size is accepted; the margin is for what stands around a payload of the largest size. */
const messageBytesMax = 4 * 1024 * 1024 + 64 * 1024

interface Typed<Req, Res> {
  requestSerialize(value: Req): Buffer
  responseSerialize(value: Res): Buffer
}

type HandlerOf<M> =
  M extends Typed<infer Req, infer Res>
    ? M extends { requestStream: true }
      ? BidiHandler<Req, Res>
      : M extends { responseStream: true }
        ? ServerStreamHandler<Req, Res>
        : UnaryHandler<Req, Res>
    : never

/** A handler for each RPC of a service, by its camelCase name. */
export type Handlers<D> = { [K in keyof D]: HandlerOf<D[K]> }

/** A service and who handles its RPCs. */
export interface Service {
  definition: ServiceDefinition
  handlers: Record<string, unknown>
}

/** Pairs a service with its handlers; a missing one is a type error. */
export function service<D extends ServiceDefinition>(definition: D, handlers: Handlers<D>): Service {
  return { definition, handlers }
}

export interface ServerOptions {
  /** `host:port`; port 0 takes a free one. */
  listen: string
  workload: Workload
  services: Service[]
  log: Logger
  health: Health
  /** Whose policies hold; those of the contracts, unless a test brings its own. */
  policies?: Map<string, MethodPolicy>
}

export interface RunningServer {
  port: number
  /**
   * Takes no new call, tells clients to go elsewhere (GOAWAY), waits up to `graceMs` for the calls it has, ends the rest
   * as UNAVAILABLE, and resolves when the port is closed.
   */
  stop(graceMs: number): Promise<void>
}

/** Starts serving. Throws at once when an RPC has no policy or no handler, or the port is taken. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { listen, workload, services, log, health, policies = loadPolicies() } = options
  // What grpc-js' clients would print by themselves reaches us as errors anyway.
  setLogVerbosity(logVerbosity.NONE)
  const draining = new AbortController()
  const active = new Places<ActiveCall>()
  const { policyMode } = workload
  const callerOf = workload.callersOn(listen)
  const scope: ServerScope = {
    callerOf,
    policyMode,
    log,
    draining: draining.signal,
    active,
    portRate: portRateOf(services, policies),
  }
  const server = new GrpcServer({ requestBytesMax: messageBytesMax, tls: workload.serverTls })
  for (const one of services) addService(server, one, policies, scope)
  addBuiltinServices(server, services, health, scope)
  refuseUnknownMethods(server, scope)
  const port = await bind(server, listen)
  log.info({ port }, 'serving gRPC')
  return {
    port,
    async stop(graceMs) {
      health.drain()
      draining.abort()
      const closed = server.drain()
      // Draining alone may wait for ever, for streams that nobody ends.
      if (!(await settlesWithin(closed, graceMs))) {
        log.warn({ calls: active.size }, 'ending calls that outlast the grace')
        for (const call of active.all()) call.interrupt(unavailable('DRAINING', 'the server is stopping'))
        await settlesWithin(closed, 250)
        server.destroy()
      }
    },
  }
}

function portRateOf(services: Service[], policies: Map<string, MethodPolicy>): RateLimit | undefined {
  const [path] = services.flatMap(({ definition }) => Object.values(definition).map((method) => method.path))
  const component = policies.get(path ?? '')?.component
  const rate = component && loadPortRate(component)
  return rate && rateLimit(rate)
}

function addService(
  server: GrpcServer,
  { definition, handlers }: Service,
  policies: Map<string, MethodPolicy>,
  scope: ServerScope,
): void {
  const guardedDefinition: Record<string, MethodDefinition<unknown, unknown>> = {}
  const implementation: Record<string, UntypedHandleCall> = {}
  for (const [name, method] of Object.entries(definition)) {
    const policy = policies.get(method.path)
    if (!policy) throw new Error(`${method.path} has no policy`)
    if (typeof handlers[name] !== 'function') throw new Error(`${method.path} has no handler`)
    const served = servedMethod(method.path, policy, scope)
    guardedDefinition[name] = guarded(method, scope.log)
    if (method.requestStream && !method.responseStream)
      throw new Error(`${method.path} is a client stream; we have none`)
    if (method.requestStream) implementation[name] = handleBidi(served, handlers[name] as BidiHandler<unknown, unknown>)
    else if (method.responseStream) {
      implementation[name] = handleServerStream(served, handlers[name] as ServerStreamHandler<unknown, unknown>)
    } else implementation[name] = handleUnary(served, handlers[name] as UnaryHandler<unknown, unknown>)
  }
  server.addService(guardedDefinition, implementation)
}

async function bind(server: GrpcServer, listen: string): Promise<number> {
  const { host, port } = splitAddress(listen)
  try {
    return await server.listen(host, port)
  } catch (error) {
    throw listenError(listen, error as Error)
  }
}

async function settlesWithin(promise: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), ms)))
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
