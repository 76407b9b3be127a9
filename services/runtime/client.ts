/** Calls to other services: mTLS to the identity we expect, the policy's deadline, errors as `StatusError`. */
import {
  Client,
  type CallOptions,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  type Metadata,
  type MethodDefinition,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js'
import { callServerStream, callUnary, openBidi, type CallSettings, type CalledMethod } from './client-call.ts'
import { guardUpstream, type Guard } from './guard.ts'
import type { Logger } from './log.ts'
import { callRecorder } from './metrics.ts'
import { loadPolicies, type MethodPolicy } from './policy.ts'
import { UnaryChannel } from '@flowforge/grpc/unary/channel'
import type { Workload } from './workload.ts'

export type { CallSettings } from './client-call.ts'

export interface DialOptions {
  /** `host:port` of the service, or `dns:` or `ipv4:` as gRPC has them. */
  address: string
  /** Whom we expect there: a server with another identity is refused before a request is sent. */
  component: string
  workload: Workload
  log: Logger
  /** Whose policies hold; those of the contracts, unless a test brings its own. */
  policies?: Map<string, MethodPolicy>
}

/** Connections to one service, shared by the clients made from it. */
export interface Channel {
  /** For streams. */
  readonly client: Client
  /** For unary calls. */
  readonly unary: UnaryChannel
  readonly log: Logger
  readonly policies: Map<string, MethodPolicy>
  /** Breakers, bulkheads and retries of the RPCs; whoever calls by `client` or `unary` alone goes past them. */
  readonly guard: Guard
  close(): void
}

/** A page of a thousand tasks with payloads of the largest size fits. */
const answerBytesMax = 256 * 1024 * 1024 + 1024 * 1024

/** A call that a server is sure not to have seen, since it goes away, is sent so often. */
const unseenAttemptsMax = 5

/** Prepares a channel; it connects with the first call, and again whenever the connection is lost. */
export function dial(options: DialOptions): Channel {
  const { address, component, workload, log, policies = loadPolicies() } = options
  const { retryOwner } = workload
  const tls = workload.tlsTo(component)
  const client = new Client(address, workload.channelCredentials(), {
    ...(tls && { 'grpc.ssl_target_name_override': tls.serverName }),
    // Our service config asks for no retries, and a server's is not read: what is left is sending a request again that the
    // server refused unseen because it is going away. Everything else is the guard's.
    'grpc.enable_retries': retryOwner === 'process' ? 1 : 0,
    // Two channels are two connections: closing or breaking one is no matter of the other.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.service_config_disable_resolution': 1,
    // Of several addresses each has a connection, as in the unary channel; a lost one is looked for where it is now.
    'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    'grpc.dns_min_time_between_resolutions_ms': 1_000,
    'grpc.enable_channelz': 0,
    'grpc.max_receive_message_length': answerBytesMax,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
  })
  // Unseen by the server or not: where the mesh owns retries, nothing is sent twice from here.
  const attemptsMax = retryOwner === 'process' ? unseenAttemptsMax : 1
  const unary = new UnaryChannel({ target: address, tls, answerBytesMax, attemptsMax })
  const guard = guardUpstream({ upstream: component, policies, retryOwner, log })
  const close = (): void => {
    client.close()
    unary.close()
  }
  return { client, unary, log, policies, guard, close }
}

type UnaryMethod<Req, Res> = (
  request: Req,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Res) => void,
) => ClientUnaryCall
type StreamMethod<Req, Res> = (
  request: Req,
  metadata?: Metadata,
  options?: Partial<CallOptions>,
) => ClientReadableStream<Res>
type BidiMethod<Req, Res> = (metadata: Metadata, options?: Partial<CallOptions>) => ClientDuplexStream<Req, Res>

/** A generated client with promises: unary calls answer, server streams are iterated, bidirectional ones stay grpc-js'. */
export type PromiseClient<C> = {
  [K in Exclude<keyof C, keyof Client>]: C[K] extends BidiMethod<infer Req, infer Res>
    ? (settings?: CallSettings) => ClientDuplexStream<Req, Res>
    : C[K] extends StreamMethod<infer Req, infer Res>
      ? (request: Req, settings?: CallSettings) => AsyncIterable<Res>
      : C[K] extends UnaryMethod<infer Req, infer Res>
        ? (request: Req, settings?: CallSettings) => Promise<Res>
        : never
}

/** Makes a client of a service on a channel: `client(TaskServiceClient, channel)`. */
export function client<C extends Client>(
  Constructor: { new (...args: never[]): C; service: ServiceDefinition },
  channel: Channel,
): PromiseClient<C> {
  const methods = Object.entries(Constructor.service).map(([name, definition]) => [name, promised(definition, channel)])
  return Object.fromEntries(methods) as PromiseClient<C>
}

function promised(definition: MethodDefinition<unknown, unknown>, channel: Channel): unknown {
  const policy = channel.policies.get(definition.path)
  const method: CalledMethod<unknown, unknown> = {
    definition,
    client: channel.client,
    unary: channel.unary,
    timeoutMs: policy?.timeoutMs,
    guard: channel.guard(definition.path),
    record: callRecorder('client', definition.path),
  }
  if (definition.requestStream) return (settings: CallSettings = {}) => openBidi(method, settings)
  if (definition.responseStream) {
    return (request: unknown, settings: CallSettings = {}) => callServerStream(method, request, settings)
  }
  return (request: unknown, settings: CallSettings = {}) => callUnary(method, request, settings)
}
