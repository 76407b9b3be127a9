import {
  address,
  ConfigError,
  duration,
  httpUrl,
  integer,
  list,
  readConfig,
  text,
  type Values,
} from '@flowforge/runtime/config'
import { workloadSpec } from '@flowforge/runtime/workload'
import type { OidcOptions } from './oidc.ts'

const spec = {
  listen: address('FLOWFORGE_LISTEN', { default: '127.0.0.1:8080' }),
  adminListen: address('FLOWFORGE_ADMIN_LISTEN', { default: '127.0.0.1:8081' }),
  ...workloadSpec,
  tasksAddress: address('FLOWFORGE_TASKS_ADDRESS'),
  accountsAddress: address('FLOWFORGE_ACCOUNTS_ADDRESS'),
  notificationsAddress: address('FLOWFORGE_NOTIFICATIONS_ADDRESS'),
  rateLimitPerMinute: integer('FLOWFORGE_RATE_LIMIT_PER_MINUTE', { default: 600_000, min: 1 }),
  bodyBytesMax: integer('FLOWFORGE_BODY_BYTES_MAX', { default: 4_194_304, min: 1_024, max: 67_108_864 }),
  keyCacheMs: duration('FLOWFORGE_KEY_CACHE', { default: '5s', max: '1m' }),
  oidcIssuer: httpUrl('FLOWFORGE_OIDC_ISSUER', { optional: true }),
  oidcAudience: text('FLOWFORGE_OIDC_AUDIENCE', { optional: true }),
  oidcJwksUrl: httpUrl('FLOWFORGE_OIDC_JWKS_URL', { optional: true }),
  oidcRolesClaim: text('FLOWFORGE_OIDC_ROLES_CLAIM', { default: 'roles' }),
  oidcRoles: list('FLOWFORGE_OIDC_ROLES', { optional: true }),
  oidcProjectsClaim: text('FLOWFORGE_OIDC_PROJECTS_CLAIM', { default: 'projects' }),
  heartbeatMs: duration('FLOWFORGE_STREAM_HEARTBEAT', { default: '15s', min: '100ms', max: '1h' }),
}

export type GatewayConfig = Values<typeof spec>

/** Reads the gateway's environment; throws a ConfigError about the first variable that is missing or wrong. */
export function readGatewayConfig(env?: NodeJS.ProcessEnv): GatewayConfig {
  const config = readConfig(spec, env)
  oidcOptions(config)
  return config
}

/** The identity provider, if one is configured. */
export function oidcOptions(config: GatewayConfig): OidcOptions | undefined {
  const { oidcIssuer: issuer, oidcAudience: audience } = config
  if (issuer === undefined) return undefined
  // A token for somebody else's service must not open ours, so there is no issuer without an audience.
  if (audience === undefined) {
    throw new ConfigError(
      'FLOWFORGE_OIDC_AUDIENCE is not set, but FLOWFORGE_OIDC_ISSUER is; example: FLOWFORGE_OIDC_AUDIENCE=flowforge',
    )
  }
  return {
    issuer,
    audience,
    jwksUrl: config.oidcJwksUrl,
    rolesClaim: config.oidcRolesClaim,
    roleNames: config.oidcRoles && new Map(config.oidcRoles.map(readRoleName)),
    projectsClaim: config.oidcProjectsClaim,
  }
}

function readRoleName(pair: string): [string, string] {
  const match = /^(.+)=(viewer|submitter|worker|admin)$/.exec(pair)
  if (match === null) {
    throw new ConfigError(
      `FLOWFORGE_OIDC_ROLES must be pairs of a provider's role and viewer, submitter, worker or admin, but has '${pair}'; example: FLOWFORGE_OIDC_ROLES=ops=admin,devs=submitter`,
    )
  }
  return [match[1]!, match[2]!]
}
