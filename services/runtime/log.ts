import { trace } from '@opentelemetry/api'
import { pino, type DestinationStream, type Logger } from 'pino'
import { tracing } from './tracing.ts'

export type { Logger } from 'pino'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type LogLevel = (typeof logLevels)[number]

// Wherever one of these stands, at the top of a line or one object deep, its value is not for a log.
const secretKeys = ['authorization', 'secret', 'password', 'apiKey', 'token', 'cookie', 'payload', 'input', 'output']

/**
 * A logger that writes one JSON object a line to stdout.
 *
 * Secrets and payloads are redacted by the name of their field. While a span is active its lines carry
 * `trace_id` and `span_id`.
 */
export function createLogger(component: string, level: LogLevel = 'info', destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: { component, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretKeys.flatMap((key) => [key, `*.${key}`]), censor: '[redacted]' },
      mixin: spanFields,
    },
    destination ?? pino.destination({ fd: 1, sync: false }),
  )
}

function spanFields(): object {
  if (!tracing.enabled) return {}
  const span = trace.getActiveSpan()?.spanContext()
  return span ? { trace_id: span.traceId, span_id: span.spanId } : {}
}
