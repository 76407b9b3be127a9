/** Puts the gateway together: descriptors → routes, and who may use them. */
import type { IncomingMessage } from 'node:http'
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { descriptorSet } from '@flowforge/proto/descriptors'
import type { Logger } from '@flowforge/runtime/log'
import { Counter, registry } from '@flowforge/runtime/metrics'
import { loadPolicies } from '@flowforge/runtime/policy'
import { tracer, tracing } from '@flowforge/runtime/tracing'
import type { Workload } from '@flowforge/runtime/workload'
import { apiKeys } from './api-keys.ts'
import { authenticator } from './authenticate.ts'
import { authorize } from './authorize.ts'
import { oidcOptions, type GatewayConfig } from './config.ts'
import { fillRequestId } from './idempotency.ts'
import { rateLimit } from './limits.ts'
import { oidc } from './oidc.ts'
import { errorDomain } from './refusal.ts'
import { startHttpServer, type HttpServer } from './server.ts'
import { createTranscoder, type TranscoderOptions } from './transcoder/transcoder.ts'
import { dialUpstreams } from './upstreams.ts'

const requests = new Counter({
  name: 'http_requests_total',
  help: 'HTTP requests that were answered, by method and status; route is an RPC, or none.',
  labelNames: ['route', 'status'],
  registers: [registry],
})

/** Starts the gateway; it owns nothing, so all of its state may be lost. */
export async function startGateway(config: GatewayConfig, workload: Workload, log: Logger): Promise<HttpServer> {
  const upstreams = dialUpstreams(config, workload, log)
  const policies = loadPolicies()
  const keys = apiKeys(upstreams.accounts, config.keyCacheMs, log)
  const provider = oidcOptions(config)
  const authenticate = authenticator(keys.verify, provider && oidc(provider))
  const limit = rateLimit(config.rateLimitPerMinute)
  const transcoder = createTranscoder({
    descriptors: descriptorSet(),
    errorDomain,
    bodyBytesMax: config.bodyBytesMax,
    heartbeatMs: config.heartbeatMs,
    reservedMetadata: ['flowforge-'],
    upstream: (method) => upstreams.forPackage(method.parent.file.proto.package),
    timeoutMs(method) {
      const policy = policies.get(`/${method.parent.typeName}/${method.name}`)
      return method.methodKind === 'unary' ? policy?.timeoutMs : policy?.idleTimeoutMs
    },
    async admit({ request, response, route, variables, metadata }) {
      const principal = await authenticate(request.headers.authorization)
      await limit(principal.name, response)
      const project = authorize(principal, policies.get(route.path)!, variables.values())
      metadata.set('flowforge-principal', principal.name)
      metadata.set('flowforge-project', project)
    },
    complete(exchange, request) {
      const key = exchange.request.headers['idempotency-key']
      if (fillRequestId(exchange.route, Array.isArray(key) ? key[0] : key, request)) exchange.isRepeatable = true
    },
    observe: observer(log),
  })
  const server = await startHttpServer(config.listen, transcoder, traced)
  return {
    port: server.port,
    async stop(graceMs) {
      await server.stop(graceMs)
      keys.close()
      upstreams.close()
    },
  }
}

function observer(log: Logger): NonNullable<TranscoderOptions['observe']> {
  return (request, response, route, error) => {
    requests.inc({ route: route?.path.slice(1) ?? 'none', status: response.statusCode })
    if (error !== undefined && error.httpStatus === 500) {
      log.error(
        { err: error.cause ?? error, route: route?.path, requestId: request.headers['x-request-id'] },
        'a request failed',
      )
    } else if (log.isLevelEnabled('debug')) {
      log.debug(
        { route: route?.path, status: response.statusCode, requestId: request.headers['x-request-id'] },
        'a request was answered',
      )
    }
  }
}

/** Runs a request in a span of its own, whose parent is the caller's. */
function traced(request: IncomingMessage, serve: () => Promise<void>): Promise<void> {
  if (!tracing.enabled) return serve()
  const parent = propagation.extract(context.active(), request.headers)
  const path = request.url?.split('?')[0] ?? '/'
  const attributes = { 'http.request.method': request.method ?? '', 'url.path': path }
  const span = tracer().startSpan(`HTTP ${request.method}`, { kind: SpanKind.SERVER, attributes }, parent)
  return context.with(trace.setSpan(parent, span), serve).then(
    () => span.end(),
    (error: Error) => {
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
      span.end()
    },
  )
}
