import {
  Metadata,
  status,
  type CallOptions,
  type Client,
  type ClientDuplexStream,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js'
import { context, propagation, SpanKind, trace, type Span } from '@opentelemetry/api'
import type { GuardedMethod } from './guard.ts'
import type { Cancellable, Ended } from './guarded-call.ts'
import type { RecordCall } from './metrics.ts'
import { asServiceError, cancelled, fromServiceError, StatusError } from './status.ts'
import { endRpcSpan, rpcAttributes, tracer, tracing } from './tracing.ts'
import type { UnaryChannel } from '@flowforge/grpc/unary/channel'

/** What a caller may say about one call. */
export interface CallSettings {
  /** Cancels the call. */
  signal?: AbortSignal
  /** Longest time in ms; the policy's timeout, if that is all there is. */
  deadlineMs?: number
  /**
   * Passes on the deadline of the call that is being served, epoch ms: the call ends a little earlier, so that its failure
   * can still be told. The earlier of the two holds.
   */
  deadline?: number
  metadata?: Metadata | Record<string, string>
}

export interface CalledMethod<Req, Res> {
  definition: MethodDefinition<Req, Res>
  client: Client
  unary: UnaryChannel
  timeoutMs: number | undefined
  record: RecordCall
  guard: GuardedMethod
}

/** Of the time that the caller of a served call has left, this much stays with us. */
const marginShare = 0.05
const marginMsMax = 25

/** Calls, and again where the guard allows it; rejects with a StatusError. */
export function callUnary<Req, Res>(
  method: CalledMethod<Req, Res>,
  request: Req,
  settings: CallSettings,
): Promise<Res> {
  const { signal } = settings
  const deadline = deadlineOf(settings, method.timeoutMs)
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(cancelled())
    const message = serialize(method, request)
    const onAbort = (): void => call.cancel()
    const call = method.guard.call<Res>(
      { deadline, isRepeatable: hasRequestId(request) },
      (end) => attemptUnary(method, message, settings, deadline, end),
      (error, response) => {
        signal?.removeEventListener('abort', onAbort)
        if (error) reject(fromServiceError(error))
        else resolve(response!)
      },
    )
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

function attemptUnary<Req, Res>(
  method: CalledMethod<Req, Res>,
  message: Buffer,
  settings: CallSettings,
  deadline: number,
  end: Ended<Res>,
): Cancellable {
  const { definition, unary } = method
  const call = new OutgoingCall(method, settings)
  return unary.call({ path: definition.path, message, metadata: call.metadata, deadline }, (error, answer) => {
    call.end(error ? error.code : status.OK)
    if (error) return end(error)
    try {
      end(null, definition.responseDeserialize(answer!))
    } catch (cause) {
      end(asServiceError(new StatusError(status.INTERNAL, 'INTERNAL', 'the answer cannot be read', { cause })))
    }
  })
}

function serialize<Req, Res>({ definition }: CalledMethod<Req, Res>, request: Req): Buffer {
  try {
    return definition.requestSerialize(request)
  } catch (cause) {
    throw new StatusError(status.INTERNAL, 'INTERNAL', 'the request cannot be written', { cause })
  }
}

/** A request that carries an ID is done once, however often it comes. */
function hasRequestId(request: unknown): boolean {
  return Boolean((request as { requestId?: string }).requestId)
}

function deadlineOf({ deadlineMs, deadline = Infinity }: CallSettings, timeoutMs: number | undefined): number {
  const nowMs = Date.now()
  const own = nowMs + (deadlineMs ?? timeoutMs ?? Infinity)
  // What a caller waits for has to leave us time to answer it.
  return Math.min(own, deadline - Math.min(marginMsMax, marginShare * (deadline - nowMs)))
}

function optionsOf(deadline: number): CallOptions {
  return deadline === Infinity ? {} : { deadline }
}

/** Iterates a server stream. Leaving the loop cancels the call. */
export async function* callServerStream<Req, Res>(
  method: CalledMethod<Req, Res>,
  request: Req,
  settings: CallSettings,
): AsyncGenerator<Res> {
  const { definition, client } = method
  const { signal } = settings
  if (signal?.aborted) throw cancelled()
  const { call, leave } = beginStream(method, settings)
  const stream = client.makeServerStreamRequest(
    definition.path,
    definition.requestSerialize,
    definition.responseDeserialize,
    request,
    call.metadata,
    optionsOf(deadlineOf(settings, undefined)),
  )
  const onAbort = (): void => stream.cancel()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    for await (const response of stream) yield response as Res
    call.end(status.OK)
  } catch (error) {
    call.end((error as ServiceError).code)
    leave(error as ServiceError)
    throw fromServiceError(error as ServiceError)
  } finally {
    signal?.removeEventListener('abort', onAbort)
    stream.cancel()
    call.end(status.CANCELLED)
    leave(null)
  }
}

/** Opens a bidirectional stream; its events and errors are grpc-js' own. */
export function openBidi<Req, Res>(
  method: CalledMethod<Req, Res>,
  settings: CallSettings,
): ClientDuplexStream<Req, Res> {
  const { definition, client } = method
  const { signal } = settings
  const { call, leave } = beginStream(method, settings)
  const stream = client.makeBidiStreamRequest(
    definition.path,
    definition.requestSerialize,
    definition.responseDeserialize,
    call.metadata,
    optionsOf(deadlineOf(settings, undefined)),
  )
  const onAbort = (): void => stream.cancel()
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  stream.once('status', ({ code, details, metadata }) => {
    signal?.removeEventListener('abort', onAbort)
    call.end(code)
    leave(code === status.OK ? null : Object.assign(new Error(details), { code, details, metadata }))
  })
  return stream
}

/** Admits a stream, or throws a StatusError; `leave` counts once. */
function beginStream<Req, Res>(method: CalledMethod<Req, Res>, settings: CallSettings) {
  const leave = method.guard.beginStream()
  let hasLeft = false
  const leaveOnce = (error: ServiceError | null): void => {
    if (!hasLeft) leave(error)
    hasLeft = true
  }
  return { call: new OutgoingCall(method, settings), leave: leaveOnce }
}

/** Span, metrics and metadata of one call that leaves this process. */
class OutgoingCall {
  readonly metadata: Metadata
  readonly #record: RecordCall
  readonly #startedMs = performance.now()
  readonly #span: Span | undefined
  #isOver = false

  constructor(method: { definition: { path: string }; record: RecordCall }, settings: CallSettings) {
    this.#record = method.record
    this.metadata = toMetadata(settings.metadata)
    if (tracing.enabled) this.#span = this.#startSpan(method.definition.path)
  }

  end(code: number): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#record(code, this.#startedMs)
    if (this.#span) endRpcSpan(this.#span, code, code !== status.OK)
  }

  #startSpan(path: string): Span {
    const span = tracer().startSpan(path.slice(1), { kind: SpanKind.CLIENT, attributes: rpcAttributes(path) })
    const carrier: Record<string, string> = {}
    propagation.inject(trace.setSpan(context.active(), span), carrier)
    for (const [key, value] of Object.entries(carrier)) this.metadata.set(key, value)
    return span
  }
}

function toMetadata(given: CallSettings['metadata']): Metadata {
  if (given instanceof Metadata) return tracing.enabled ? given.clone() : given
  const metadata = new Metadata()
  for (const [key, value] of Object.entries(given ?? {})) metadata.set(key, value)
  return metadata
}
