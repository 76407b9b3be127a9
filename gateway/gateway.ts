/** Puts the gateway together: descriptors → routes, and who may use them. */
import type { IncomingMessage } from 'node:http'
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { status } from '@grpc/grpc-js'
import { descriptorSet } from '@flowforge/proto/descriptors'
import type { Logger } from '@flowforge/runtime/log'
import { Counter, registry } from '@flowforge/runtime/metrics'
import { loadPolicies } from '@flowforge/runtime/policy'
import { tracer, tracing } from '@flowforge/runtime/tracing'
import type { Workload } from '@flowforge/runtime/workload'
import { adminPlaces } from './admin.ts'
import { apiKeys } from './api-keys.ts'
import { authenticator } from './authenticate.ts'
import { authorize } from './authorize.ts'
import { addressLimit, hasPeers, oidcOptions, redisOptions, tlsFiles, type GatewayConfig } from './config.ts'
import { canHaveRequestId, fillRequestId } from './idempotency.ts'
import { openCache } from './cache/open-cache.ts'
import { TrustedProxies } from './client-address.ts'
import { createFront } from './front.ts'
import { limits } from './limits.ts'
import { oidc } from './oidc.ts'
import manifest from './package.json' with { type: 'json' }
import { descriptionPlaces } from './pages.ts'
import { connectRedis } from './redis.ts'
import { errorDomain, refusal } from './refusal.ts'
import { sendAnswer } from './send-answer.ts'
import { startHttpServer, type HttpServer } from './server.ts'
import { createTranscoder, type Route, type TranscoderOptions } from './transcoder/transcoder.ts'
import { dialUpstreams } from './upstreams.ts'
import { watchedFields } from './watched.ts'

const requests = new Counter({
  name: 'http_requests_total',
  help: 'HTTP requests that were answered, by method and status; route is an RPC, or none.',
  labelNames: ['route', 'status'],
  registers: [registry],
})

// No call takes longer than this without a word, neither ours nor the caller's.
const silenceMsMin = 120_000
// Of an RPC without a policy; there is none.
const unboundedMs = 60_000

/** The gateway, which listens. */
export interface Gateway extends HttpServer {
  /** Waits a moment until each service has answered; to be done before it is called ready. */
  warmUp(): Promise<void>
}

/** Starts the gateway; it owns nothing, so all of its state may be lost. `shutdown` is to end the process in order. */
export async function startGateway(
  config: GatewayConfig,
  workload: Workload,
  log: Logger,
  shutdown: () => void,
): Promise<Gateway> {
  const upstreams = dialUpstreams(config, workload, log)
  const policies = loadPolicies()
  const keys = apiKeys(upstreams.accounts, config.keyCacheMs, log)
  const provider = oidcOptions(config)
  const authenticate = authenticator(keys.verify, provider && oidc(provider))
  const sharing = redisOptions(config)
  const redis = sharing && connectRedis(sharing, log)
  const limit = limits({ principal: config.rateLimitPerMinute, address: addressLimit(config) }, redis)
  const transcoder = createTranscoder({
    descriptors: descriptorSet(),
    errorDomain,
    statusByReason: { REQUEST_ID_REUSED: 422 },
    bodyBytesMax: config.bodyBytesMax,
    heartbeatMs: config.heartbeatMs,
    reservedMetadata: ['flowforge-'],
    upstream: (method) => upstreams.forPackage(method.parent.file.proto.package),
    timeoutMs(method) {
      const policy = policies.get(`/${method.parent.typeName}/${method.name}`)
      return method.methodKind === 'unary' ? policy?.timeoutMs : policy?.idleTimeoutMs
    },
    async admit({ request, response, route, variables, metadata }) {
      // What is known at once is not waited for: each turn of waiting costs a request as much as the check itself.
      const asked = authenticate(request.headers.authorization)
      const principal = asked instanceof Promise ? await asked : asked
      const counting = limit.ofPrincipal(principal.name, response)
      if (counting !== undefined) await counting
      const project = authorize(principal, policies.get(route.path)!, variables.values())
      metadata.set('flowforge-principal', principal.name)
      metadata.set('flowforge-project', project)
    },
    complete(exchange, request) {
      const key = exchange.request.headers['idempotency-key']
      if (fillRequestId(exchange.route, Array.isArray(key) ? key[0] : key, request)) exchange.isRepeatable = true
    },
    around: (exchange, request, call) => cache?.around(exchange, request, call),
    resume: watchedFields,
    send: sendAnswer,
    observe: observer(log),
  })
  const cache = openCache(transcoder, {
    ttlMs: { list: config.cacheListMs, item: config.cacheItemMs },
    staleMs: config.cacheStaleMs,
    bytesMax: config.cacheBytesMax,
    redis,
    hasPeers: hasPeers(config),
    timeoutMs: ({ route }) => policies.get(route.path)?.timeoutMs ?? unboundedMs,
    log,
  })
  if (cache === undefined) log.info('no answers are kept: that needs one gateway alone, or FLOWFORGE_REDIS_URL')
  const handle = createFront({
    headers: {
      proxies: new TrustedProxies(config.trustedProxies),
      corsOrigins: config.corsOrigins,
      hstsSeconds: config.hstsMs / 1_000,
      deprecations: config.deprecations,
    },
    limits: limit,
    places: new Map([
      ...adminPlaces({ authenticate, limits: limit, project: config.adminProject, cache, shutdown, log }),
      ...descriptionPlaces({
        registry: transcoder.registry,
        routes: transcoder.routes,
        policies,
        version: manifest.version,
        takesRequestId: canHaveRequestId,
        takesLastEventId: ({ method }) => watchedFields(method) !== undefined,
      }),
    ]),
    transcoder,
  })
  const server = await startHttpServer({
    listen: config.listen,
    tls: tlsFiles(config),
    headerBytesMax: config.headerBytesMax,
    headTimeoutMs: config.headTimeoutMs,
    connectionsMax: config.connectionsMax,
    // Signs of life on a silent stream are something that moves.
    silenceMsMax: Math.max(silenceMsMin, 3 * config.heartbeatMs),
    log,
    handle: (request, response) => traced(request, () => handle(request, response)),
    endStreams: () =>
      transcoder.endStreams(refusal(status.UNAVAILABLE, 'STOPPING', 'the gateway is stopping; try again')),
  })
  return {
    ...server,
    warmUp: upstreams.warmUp,
    async stop(graceMs) {
      await server.stop(graceMs)
      keys.close()
      redis?.destroy()
      upstreams.close()
    },
  }
}

function observer(log: Logger): NonNullable<TranscoderOptions['observe']> {
  // Those of each route by status: resolving labels costs more than counting.
  const counters = new Map<Route | undefined, Counter.Internal[]>()
  return (request, response, route, error) => {
    let byStatus = counters.get(route)
    if (byStatus === undefined) counters.set(route, (byStatus = []))
    const { statusCode } = response
    byStatus[statusCode] ??= requests.labels(route?.path.slice(1) ?? 'none', String(statusCode))
    byStatus[statusCode].inc()
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
