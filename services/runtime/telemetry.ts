import { httpUrl, readConfig } from './config.ts'
import { tracing } from './tracing.ts'

export { currentTraceparent, tracing, withRemoteParent } from './tracing.ts'

/**
 * Starts OpenTelemetry when OTEL_EXPORTER_OTLP_ENDPOINT is set and answers what stops it (and sends what is left).
 *
 * Unset, nothing of the SDK is even loaded. The SDK reads the other `OTEL_*` variables itself: protocol, sampler,
 * resource attributes.
 */
export async function startTelemetry(component: string): Promise<() => Promise<void>> {
  const { endpoint } = readConfig({ endpoint: httpUrl('OTEL_EXPORTER_OTLP_ENDPOINT', { optional: true }) })
  if (endpoint === undefined) return async () => {}
  const { NodeSDK } = await import('@opentelemetry/sdk-node')
  // Spans come from server.ts and client.ts, not from instrumentation: see docs/decisions/0003-explicit-grpc-spans.md.
  // Metrics are Prometheus' and logs are on stdout, so the SDK gets neither.
  const sdk = new NodeSDK({ serviceName: component, instrumentations: [], metricReaders: [], logRecordProcessors: [] })
  sdk.start()
  tracing.enabled = true
  return () => sdk.shutdown()
}
