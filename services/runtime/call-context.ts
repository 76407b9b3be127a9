/** One call on the server, from admission to its end. */
import { status, Metadata, type ServerUnaryCall } from '@grpc/grpc-js'
import { context as otelContext, propagation, SpanKind, trace, type Span } from '@opentelemetry/api'
import type { Caller } from './decide.ts'
import type { Component } from './policy.ts'
import type { Logger } from './log.ts'
import type { ServedMethod } from './served-method.ts'
import { codeName, StatusError, toServiceError, type ErrorStatus } from './status.ts'
import { endRpcSpan, rpcAttributes, tracer, tracing } from './tracing.ts'

/** What a handler learns about its call. */
export interface CallContext {
  /** The caller's workload identity, as its certificate or the mesh proves it; 'unknown' only under audit. */
  readonly identity: string
  /** Undefined only for a stranger's call under audit. */
  readonly component: Component | undefined
  /** Whom the caller acts for: the gateway's word, or else the caller's own identity. */
  readonly principal: string
  /** The principal's project, if the gateway named one. */
  readonly project: string | undefined
  /** Epoch ms; Infinity for a stream without one. */
  readonly deadline: number
  /** Aborted when the client cancels or is gone, and at the deadline. */
  readonly signal: AbortSignal
  /** Aborted when the server begins to stop: a stream should come to its end. */
  readonly draining: AbortSignal
  readonly log: Logger
  /** What the caller sent along, without the mesh's own `l5d-*`. */
  readonly metadata: Metadata
  /** `/package.Service/Method`. */
  readonly method: string
  setTrailer(key: string, value: string): void
}

/** The part that every kind of grpc-js server call has. */
export type SurfaceCall = Pick<ServerUnaryCall<unknown, unknown>, 'cancelled' | 'metadata' | 'getDeadline'> &
  NodeJS.EventEmitter

/**
 * Everything that a unary call may not need (signal, logger, span, trailers) is made on first use: a call that only
 * reads its request pays for none of it.
 */
export class ActiveCall implements CallContext {
  readonly identity: string
  readonly component: Component | undefined
  readonly deadline: number
  readonly method: string
  trailers: Metadata | undefined
  readonly #served: ServedMethod
  readonly #call: SurfaceCall
  readonly #onInterrupt: (error: unknown) => void
  readonly #startedMs = performance.now()
  readonly #span: Span | undefined
  readonly #timer: NodeJS.Timeout | undefined
  readonly #place: number
  #controller: AbortController | undefined
  #metadata: Metadata | undefined
  #log: Logger | undefined
  #interruption: unknown
  #isOver = false

  /** `onInterrupt` is called at most once, and has to answer the client. */
  constructor(served: ServedMethod, call: SurfaceCall, caller: Caller, onInterrupt: (error: unknown) => void) {
    this.#served = served
    this.#call = call
    this.#onInterrupt = onInterrupt
    this.identity = caller.identity ?? 'unknown'
    this.component = caller.component
    this.method = served.path
    const timeoutMs = served.policy?.timeoutMs ?? Infinity
    const asked = Number(call.getDeadline())
    const limit = Date.now() + timeoutMs
    this.deadline = Math.min(asked, limit)
    // grpc-js ends the call at the deadline that the client asked for; the policy's is ours.
    if (limit < asked) this.#timer = setTimeout(() => this.interrupt(deadlineExceeded()), timeoutMs)
    if (tracing.enabled) this.#span = this.#startSpan()
    this.#place = served.active.add(this)
  }

  get metadata(): Metadata {
    this.#metadata ??= withoutMeshHeaders(this.#call.metadata)
    return this.#metadata
  }

  get principal(): string {
    return this.#fromGateway('flowforge-principal') ?? this.identity
  }

  get project(): string | undefined {
    return this.#fromGateway('flowforge-project')
  }

  get draining(): AbortSignal {
    return this.#served.draining
  }

  get log(): Logger {
    this.#log ??= this.#served.log.child({
      method: this.method,
      principal: this.principal,
      requestId: this.#fromGateway('x-request-id'),
    })
    return this.#log
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      const controller = new AbortController()
      this.#controller = controller
      const abort = (): void => {
        if (!this.#isOver) controller.abort(this.interruption)
      }
      if (this.interruption) abort()
      else this.#call.once('cancelled', abort)
    }
    return this.#controller.signal
  }

  /** The client has its answer. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Why nobody waits for the handler any more, if so: the client left, the time is up, or we ended the call. */
  get interruption(): unknown {
    if (!this.#interruption && this.#call.cancelled) {
      this.#interruption = Date.now() >= this.deadline ? deadlineExceeded() : cancelled()
    }
    return this.#interruption
  }

  throwIfInterrupted(): void {
    if (this.interruption) throw this.interruption
  }

  /** Ends the call with `error` whatever its handler is doing. */
  interrupt(error: unknown): void {
    if (this.#isOver || this.interruption) return
    this.#interruption = error
    this.#controller?.abort(error)
    this.#onInterrupt(error)
  }

  setTrailer(key: string, value: string): void {
    this.trailers ??= new Metadata()
    this.trailers.set(key, value)
  }

  /** Runs the handler with this call's span active. */
  run<T>(handler: () => Promise<T>): Promise<T> {
    if (!this.#span) return handler()
    return otelContext.with(trace.setSpan(otelContext.active(), this.#span), handler)
  }

  /** Ends the call well; false if it was over already. */
  succeed(): boolean {
    if (this.#isOver) return false
    this.#end(this.interruption instanceof StatusError ? this.interruption.code : status.OK)
    return true
  }

  /** Ends the call with an error, and answers what the client is told. */
  fail(error: unknown): ErrorStatus {
    const told = toServiceError(this.interruption ?? error, this.log)
    if (this.trailers) told.metadata.merge(this.trailers)
    this.#end(told.code)
    return told
  }

  #end(code: number): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#served.active.delete(this.#place)
    this.#served.record(code, this.#startedMs)
    if (this.#served.isDebug) {
      const ms = performance.now() - this.#startedMs
      this.log.debug({ code: codeName(code), ms, caller: this.component }, 'call')
    }
    if (this.#span) endRpcSpan(this.#span, code, serverFaults.has(code))
  }

  #fromGateway(key: string): string | undefined {
    if (this.component !== 'gateway') return undefined
    const [value] = this.metadata.get(key)
    return value === undefined || value === '' ? undefined : String(value)
  }

  #startSpan(): Span {
    const carrier = { traceparent: String(this.metadata.get('traceparent')[0] ?? '') }
    const parent = propagation.extract(otelContext.active(), carrier)
    return tracer().startSpan(
      this.method.slice(1),
      { kind: SpanKind.SERVER, attributes: rpcAttributes(this.method) },
      parent,
    )
  }
}

/** `l5d-*` is between a mesh's proxies and us. What it says is in the context already; a handler must not believe the rest. */
function withoutMeshHeaders(metadata: Metadata): Metadata {
  for (const key of Object.keys(metadata.getMap())) if (key.startsWith('l5d-')) metadata.remove(key)
  return metadata
}

// By OpenTelemetry's conventions a server span is an error only where the server is to blame.
const serverFaults = new Set<number>([status.INTERNAL, status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.DATA_LOSS])

function deadlineExceeded(): StatusError {
  return new StatusError(status.DEADLINE_EXCEEDED, 'DEADLINE_EXCEEDED', 'the deadline has passed')
}

function cancelled(): StatusError {
  return new StatusError(status.CANCELLED, 'CANCELLED', 'the client has cancelled the call')
}
