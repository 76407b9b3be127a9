import {
  address,
  ConfigError,
  duration,
  httpUrl,
  integer,
  listOf,
  oneOf,
  path,
  readConfig,
  redisUrl,
  resourceId,
  target,
  text,
  type Values,
} from '@flowforge/runtime/config'
import { workloadSpec } from '@flowforge/runtime/workload'
import { readRange, type AddressRange } from './client-address.ts'
import type { OidcOptions } from './oidc.ts'
import type { RedisOptions } from './redis.ts'
import type { Deprecation } from './response-headers.ts'
import type { TlsFiles } from './tls.ts'

const spec = {
  listen: address('FLOWFORGE_LISTEN', { default: '127.0.0.1:8080' }),
  adminListen: address('FLOWFORGE_ADMIN_LISTEN', { default: '127.0.0.1:8081' }),
  ...workloadSpec,
  tasksAddress: target('FLOWFORGE_TASKS_ADDRESS'),
  accountsAddress: target('FLOWFORGE_ACCOUNTS_ADDRESS'),
  notificationsAddress: target('FLOWFORGE_NOTIFICATIONS_ADDRESS'),
  tlsCertificate: path('FLOWFORGE_TLS_CERTIFICATE', { optional: true }),
  tlsKey: path('FLOWFORGE_TLS_KEY', { optional: true }),
  hstsMs: duration('FLOWFORGE_HSTS', { default: '8760h' }),
  trustedProxies: listOf('FLOWFORGE_TRUSTED_PROXIES', { default: [], example: '10.0.0.0/8,fd00::/8' }, trustedRange),
  corsOrigins: listOf('FLOWFORGE_CORS_ORIGINS', { default: [], example: 'https://console.example.com' }, corsOrigin),
  deprecations: listOf(
    'FLOWFORGE_DEPRECATED_PATHS',
    { default: [], example: '/v1=2027-01-01/2027-07-01' },
    deprecation,
  ),
  redisUrl: redisUrl('FLOWFORGE_REDIS_URL', { optional: true }),
  redisAuthority: path('FLOWFORGE_REDIS_AUTHORITY', { optional: true }),
  rateLimitPerMinute: integer('FLOWFORGE_RATE_LIMIT_PER_MINUTE', { default: 1_000, min: 1 }),
  addressRateLimitPerMinute: integer('FLOWFORGE_ADDRESS_RATE_LIMIT_PER_MINUTE', { optional: true, min: 1 }),
  headerBytesMax: integer('FLOWFORGE_HEADER_BYTES_MAX', { default: 16_384, min: 1_024, max: 1_048_576 }),
  headTimeoutMs: duration('FLOWFORGE_HEAD_TIMEOUT', { default: '10s', min: '1s', max: '1m' }),
  connectionsMax: integer('FLOWFORGE_CONNECTIONS_MAX', { default: 20_000, min: 1 }),
  bodyBytesMax: integer('FLOWFORGE_BODY_BYTES_MAX', { default: 4_194_304, min: 1_024, max: 67_108_864 }),
  cacheListMs: duration('FLOWFORGE_CACHE_LIST', { default: '5m' }),
  cacheItemMs: duration('FLOWFORGE_CACHE_ITEM', { default: '15m' }),
  cacheStaleMs: duration('FLOWFORGE_CACHE_STALE', { default: '1h' }),
  cacheBytesMax: integer('FLOWFORGE_CACHE_BYTES_MAX', { default: 67_108_864, max: 4_294_967_296 }),
  instances: oneOf('FLOWFORGE_INSTANCES', ['one', 'many'], { optional: true }),
  kubernetes: text('KUBERNETES_SERVICE_HOST', { optional: true }),
  adminProject: resourceId('FLOWFORGE_ADMIN_PROJECT', { default: 'default' }),
  keyCacheMs: duration('FLOWFORGE_KEY_CACHE', { default: '5s', max: '1m' }),
  oidcIssuer: httpUrl('FLOWFORGE_OIDC_ISSUER', { optional: true, example: 'https://login.example.com' }),
  oidcAudience: text('FLOWFORGE_OIDC_AUDIENCE', { optional: true }),
  oidcJwksUrl: httpUrl('FLOWFORGE_OIDC_JWKS_URL', { optional: true, example: 'https://login.example.com/keys' }),
  oidcRolesClaim: text('FLOWFORGE_OIDC_ROLES_CLAIM', { default: 'roles' }),
  oidcRoles: listOf('FLOWFORGE_OIDC_ROLES', { optional: true, example: 'ops=admin,devs=submitter' }, roleName),
  oidcProjectsClaim: text('FLOWFORGE_OIDC_PROJECTS_CLAIM', { default: 'projects' }),
  heartbeatMs: duration('FLOWFORGE_STREAM_HEARTBEAT', { default: '15s', min: '100ms', max: '1h' }),
}

export type GatewayConfig = Values<typeof spec>

/** Reads the gateway's environment; throws a ConfigError about the first variable that is missing or wrong. */
export function readGatewayConfig(env?: NodeJS.ProcessEnv): GatewayConfig {
  const config = readConfig(spec, env)
  oidcOptions(config)
  tlsFiles(config)
  redisOptions(config)
  return config
}

/** Whether other gateways serve the same callers, so that what only this one knows is not the whole truth. */
export function hasPeers({ instances, kubernetes }: GatewayConfig): boolean {
  // Kubernetes runs several, or will while it replaces one by another.
  return instances === undefined ? kubernetes !== undefined : instances === 'many'
}

/** Requests of one address in a minute; undefined if addresses are not limited. */
export function addressLimit(config: GatewayConfig): number | undefined {
  const { addressRateLimitPerMinute, kubernetes, trustedProxies } = config
  // In Kubernetes everybody comes from the ingress or from the pod's own proxy, and with neither trusted has its address.
  const isHidden = kubernetes !== undefined && trustedProxies.length === 0
  return addressRateLimitPerMinute ?? (isHidden ? undefined : 10_000)
}

/** Certificate and key of the public port, if it speaks TLS. */
export function tlsFiles({ tlsCertificate: certificate, tlsKey: key }: GatewayConfig): TlsFiles | undefined {
  if (certificate === undefined && key === undefined) return undefined
  if (certificate === undefined) throw halfSet('FLOWFORGE_TLS_CERTIFICATE', 'FLOWFORGE_TLS_KEY', '/etc/tls/tls.crt')
  if (key === undefined) throw halfSet('FLOWFORGE_TLS_KEY', 'FLOWFORGE_TLS_CERTIFICATE', '/etc/tls/tls.key')
  return { certificate, key }
}

function halfSet(missing: string, other: string, example: string): ConfigError {
  return new ConfigError(`${missing} is not set, but ${other} is; example: ${missing}=${example}`)
}

/** The Redis that gateways share, and who may have signed its certificate. */
export function redisOptions(config: GatewayConfig): RedisOptions | undefined {
  const { redisUrl: url, redisAuthority: authority } = config
  if (authority !== undefined && url?.startsWith('rediss:') !== true) {
    throw new ConfigError(
      'FLOWFORGE_REDIS_AUTHORITY is set, but FLOWFORGE_REDIS_URL is no rediss:// URL; example: FLOWFORGE_REDIS_URL=rediss://redis.example.com:6379',
    )
  }
  return url === undefined ? undefined : { url, authority }
}

/** The identity provider, if one is configured. */
export function oidcOptions(config: GatewayConfig): OidcOptions | undefined {
  const { oidcIssuer: issuer, oidcAudience: audience, oidcJwksUrl: jwksUrl, oidcRoles } = config
  if (issuer === undefined) {
    const others = { AUDIENCE: audience, JWKS_URL: jwksUrl, ROLES: oidcRoles }
    const [other] = Object.entries(others).find(([, value]) => value !== undefined) ?? []
    if (other === undefined) return undefined
    throw halfSet('FLOWFORGE_OIDC_ISSUER', `FLOWFORGE_OIDC_${other}`, spec.oidcIssuer.example)
  }
  // A token for somebody else's service must not open ours, so there is no issuer without an audience.
  if (audience === undefined) throw halfSet('FLOWFORGE_OIDC_AUDIENCE', 'FLOWFORGE_OIDC_ISSUER', 'flowforge')
  return {
    issuer,
    audience,
    jwksUrl,
    rolesClaim: config.oidcRolesClaim,
    roleNames: oidcRoles && new Map(oidcRoles),
    projectsClaim: config.oidcProjectsClaim,
  }
}

function trustedRange(text: string): AddressRange {
  const range = readRange(text)
  if (range === undefined) throw new Error(`be addresses or ranges of them, which '${text}' is not`)
  return range
}

function corsOrigin(text: string): string {
  if (text !== '*' && URL.parse(text)?.origin !== text) {
    throw new Error(`be origins (scheme, host and port alone) or *, which '${text}' is not`)
  }
  return text
}

/** `/v1=2027-01-01` or, with the end, `/v1=2027-01-01/2027-07-01`. */
function deprecation(text: string): Deprecation {
  const [, path, from, until] = /^(\/[^=]*)=([\d-]+)(?:\/([\d-]+))?$/.exec(text) ?? []
  const since = dateOf(from)
  const sunset = dateOf(until)
  if (path === undefined || since === undefined || (until !== undefined && !(sunset && sunset > since))) {
    throw new Error(
      `be paths with the date of their deprecation and perhaps a later one of their end, which '${text}' is not`,
    )
  }
  return { path, since, sunset }
}

/** The beginning of a day in UTC; undefined if there is no such day. */
function dateOf(text = ''): Date | undefined {
  const date = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text) ? date : undefined
}

function roleName(pair: string): [string, string] {
  const match = /^(.+)=(viewer|submitter|worker|admin)$/.exec(pair)
  if (match === null) {
    throw new Error(`be pairs of a provider's role and viewer, submitter, worker or admin, which '${pair}' is not`)
  }
  return [match[1]!, match[2]!]
}
