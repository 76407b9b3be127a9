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
import type { RecordCall } from './metrics.ts'
import { fromServiceError, StatusError } from './status.ts'
import { endRpcSpan, rpcAttributes, tracer, tracing } from './tracing.ts'
import type { UnaryChannel } from './unary/channel.ts'

/** What a caller may say about one call. */
export interface CallSettings {
  /** Cancels the call. */
  signal?: AbortSignal
  /** Longest time in ms; the policy's timeout, if that is all there is. */
  deadlineMs?: number
  /** Latest instant, epoch ms: passes on the deadline of the call that is being served. The earlier of the two holds. */
  deadline?: number
  metadata?: Metadata | Record<string, string>
}

export interface CalledMethod<Req, Res> {
  definition: MethodDefinition<Req, Res>
  client: Client
  unary: UnaryChannel
  timeoutMs: number | undefined
  record: RecordCall
}

/** Calls once; rejects with a StatusError. */
export function callUnary<Req, Res>(
  method: CalledMethod<Req, Res>,
  request: Req,
  settings: CallSettings,
): Promise<Res> {
  const { definition, unary } = method
  const call = new OutgoingCall(method, settings)
  return new Promise((resolve, reject) => {
    const { signal } = settings
    if (signal?.aborted) {
      reject(call.fail(cancelled()))
      return
    }
    const onAbort = (): void => unaryCall.cancel()
    let message: Buffer
    try {
      message = definition.requestSerialize(request)
    } catch (cause) {
      reject(call.fail(new StatusError(status.INTERNAL, 'INTERNAL', 'the request cannot be written', { cause })))
      return
    }
    const outgoing = {
      path: definition.path,
      message,
      metadata: call.metadata,
      deadline: call.deadline(method.timeoutMs),
    }
    const unaryCall = unary.call(outgoing, (error, answer) => {
      signal?.removeEventListener('abort', onAbort)
      if (error) return reject(call.fail(fromServiceError(error)))
      try {
        resolve(definition.responseDeserialize(answer!))
        call.end(status.OK)
      } catch (cause) {
        reject(call.fail(new StatusError(status.INTERNAL, 'INTERNAL', 'the answer cannot be read', { cause })))
      }
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Iterates a server stream. Leaving the loop cancels the call. */
export async function* callServerStream<Req, Res>(
  method: CalledMethod<Req, Res>,
  request: Req,
  settings: CallSettings,
): AsyncGenerator<Res> {
  const { definition, client } = method
  const { signal } = settings
  const call = new OutgoingCall(method, settings)
  if (signal?.aborted) throw call.fail(cancelled())
  const stream = client.makeServerStreamRequest(
    definition.path,
    definition.requestSerialize,
    definition.responseDeserialize,
    request,
    call.metadata,
    call.options(),
  )
  const onAbort = (): void => stream.cancel()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    for await (const response of stream) yield response as Res
    call.end(status.OK)
  } catch (error) {
    throw call.fail(fromServiceError(error as ServiceError))
  } finally {
    signal?.removeEventListener('abort', onAbort)
    stream.cancel()
    call.end(status.CANCELLED)
  }
}

/** Opens a bidirectional stream; its events and errors are grpc-js' own. */
export function openBidi<Req, Res>(
  method: CalledMethod<Req, Res>,
  settings: CallSettings,
): ClientDuplexStream<Req, Res> {
  const { definition, client } = method
  const { signal } = settings
  const call = new OutgoingCall(method, settings)
  const stream = client.makeBidiStreamRequest(
    definition.path,
    definition.requestSerialize,
    definition.responseDeserialize,
    call.metadata,
    call.options(),
  )
  const onAbort = (): void => stream.cancel()
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  stream.once('status', ({ code }) => {
    signal?.removeEventListener('abort', onAbort)
    call.end(code)
  })
  return stream
}

/** Span, metrics and metadata of one call that leaves this process. */
class OutgoingCall {
  readonly metadata: Metadata
  readonly #settings: CallSettings
  readonly #record: RecordCall
  readonly #startedMs = performance.now()
  readonly #span: Span | undefined
  #isOver = false

  constructor(method: { definition: { path: string }; record: RecordCall }, settings: CallSettings) {
    this.#settings = settings
    this.#record = method.record
    this.metadata = toMetadata(settings.metadata)
    if (tracing.enabled) this.#span = this.#startSpan(method.definition.path)
  }

  /** The earliest of all that bound the call, epoch ms; Infinity if nothing does. */
  deadline(timeoutMs: number | undefined): number {
    const { deadlineMs = timeoutMs, deadline = Infinity } = this.#settings
    return Math.min(deadline, deadlineMs === undefined ? Infinity : Date.now() + deadlineMs)
  }

  /** For a stream, which only its caller bounds. */
  options(): CallOptions {
    const deadline = this.deadline(undefined)
    return deadline === Infinity ? {} : { deadline }
  }

  fail(error: StatusError): StatusError {
    this.end(error.code)
    return error
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

function cancelled(): StatusError {
  return new StatusError(status.CANCELLED, 'CANCELLED', 'the call was cancelled before it began')
}
