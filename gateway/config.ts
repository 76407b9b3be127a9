import { address, duration, integer, path, readConfig, type Values } from '@flowforge/runtime/config'

const spec = {
  listen: address('FLOWFORGE_LISTEN', { default: '127.0.0.1:8080' }),
  adminListen: address('FLOWFORGE_ADMIN_LISTEN', { default: '127.0.0.1:8081' }),
  certificates: path('FLOWFORGE_CERTIFICATES'),
  tasksAddress: address('FLOWFORGE_TASKS_ADDRESS'),
  accountsAddress: address('FLOWFORGE_ACCOUNTS_ADDRESS'),
  notificationsAddress: address('FLOWFORGE_NOTIFICATIONS_ADDRESS'),
  rateLimitPerMinute: integer('FLOWFORGE_RATE_LIMIT_PER_MINUTE', { default: 600_000, min: 1 }),
  bodyBytesMax: integer('FLOWFORGE_BODY_BYTES_MAX', { default: 4_194_304, min: 1_024, max: 67_108_864 }),
  keyCacheMs: duration('FLOWFORGE_KEY_CACHE', { default: '5s', max: '1m' }),
  heartbeatMs: duration('FLOWFORGE_STREAM_HEARTBEAT', { default: '15s', min: '100ms', max: '1h' }),
}

export type GatewayConfig = Values<typeof spec>

/** Reads the gateway's environment; throws a ConfigError about the first variable that is missing or wrong. */
export function readGatewayConfig(env?: NodeJS.ProcessEnv): GatewayConfig {
  return readConfig(spec, env)
}
