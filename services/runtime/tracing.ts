/**
 * Trace context for everything that crosses a process or a table: W3C `traceparent` in, `traceparent` out.
 *
 * While tracing is off nothing here touches OpenTelemetry: `tracing.enabled` is one property read.
 */
import { context, propagation, SpanKind, SpanStatusCode, trace, type Attributes, type Span } from '@opentelemetry/api'

/** Whether spans are recorded in this process; set by `startTelemetry` alone. */
export const tracing = { enabled: false }

/** The W3C `traceparent` of the active span, or '' without one. */
export function currentTraceparent(): string {
  if (!tracing.enabled) return ''
  const carrier: Record<string, string> = {}
  propagation.inject(context.active(), carrier)
  return carrier.traceparent ?? ''
}

/**
 * Runs `fn` in a span whose parent is the remote span that `traceparent` names, for work that was handed over through
 * a table or a stream. A malformed or empty traceparent starts a new trace.
 */
export async function withRemoteParent<T>(
  traceparent: string,
  name: string,
  attributes: Attributes,
  fn: () => Promise<T>,
): Promise<T> {
  if (!tracing.enabled) return fn()
  const parent = propagation.extract(context.active(), { traceparent })
  const span = tracer().startSpan(name, { kind: SpanKind.CONSUMER, attributes }, parent)
  try {
    return await context.with(trace.setSpan(parent, span), fn)
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message })
    throw error
  } finally {
    span.end()
  }
}

/** The tracer of our gRPC spans. */
export function tracer() {
  return trace.getTracer('flowforge')
}

/** Ends a gRPC span with its status code, by OpenTelemetry's RPC conventions: a server errs only by its own fault. */
export function endRpcSpan(span: Span, code: number, isError: boolean): void {
  span.setAttribute('rpc.grpc.status_code', code)
  if (isError) span.setStatus({ code: SpanStatusCode.ERROR })
  span.end()
}

/** `rpc.*` attributes of `/package.Service/Method`. */
export function rpcAttributes(path: string): Attributes {
  const [, service = '', method = ''] = path.split('/')
  return { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method }
}
