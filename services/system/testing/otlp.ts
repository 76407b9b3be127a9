import { startReceiver, type Received } from './receiver.ts'

/** A span as OTLP/JSON has it; `service` is the component that sent it. */
export interface Span {
  service: string
  name: string
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  traceId: string
  spanId: string
  parentSpanId?: string
  attributes: Record<string, string>
}

interface Export {
  resourceSpans?: {
    resource: { attributes: Attribute[] }
    scopeSpans: { spans: (Omit<Span, 'kind' | 'attributes'> & { kind: number; attributes?: Attribute[] })[] }[]
  }[]
}

interface Attribute {
  key: string
  value: { stringValue?: string; intValue?: number }
}

const kinds = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const

/** A collector of traces: the environment that makes services send to it, and the spans that it has got so far. */
export async function startCollector(): Promise<{ env: Record<string, string>; spans(): Span[] }> {
  const { url, received } = await startReceiver()
  return {
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_SCHEDULE_DELAY: '100',
    },
    spans: () => received.filter(({ path }) => path === '/v1/traces').flatMap(spansIn),
  }
}

function spansIn({ body }: Received): Span[] {
  const { resourceSpans = [] } = JSON.parse(body) as Export
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = valuesOf(resource.attributes)['service.name'] ?? ''
    return scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({ ...span, service, kind: kinds[span.kind]!, attributes: valuesOf(span.attributes ?? []) })),
    )
  })
}

function valuesOf(attributes: Attribute[]): Record<string, string> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, String(value.stringValue ?? value.intValue ?? '')]),
  )
}
