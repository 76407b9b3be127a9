import { deepEqual, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { readGatewayConfig } from './config.ts'

const required = {
  FLOWFORGE_TASKS_ADDRESS: 'a:1',
  FLOWFORGE_ACCOUNTS_ADDRESS: 'a:1',
  FLOWFORGE_NOTIFICATIONS_ADDRESS: 'a:1',
}
const provider = { FLOWFORGE_OIDC_ISSUER: 'https://login.example.com', FLOWFORGE_OIDC_AUDIENCE: 'flowforge' }

for (const [name, value, others = {}] of [
  ['FLOWFORGE_LISTEN', '127.0.0.1:99999'],
  ['FLOWFORGE_ADMIN_LISTEN', 'nowhere'],
  ['FLOWFORGE_TASKS_ADDRESS', ''],
  ['FLOWFORGE_ACCOUNTS_ADDRESS', 'http://a:1'],
  ['FLOWFORGE_NOTIFICATIONS_ADDRESS', 'a:0'],
  ['FLOWFORGE_TLS_KEY', '/etc/tls/tls.key'],
  ['FLOWFORGE_TLS_CERTIFICATE', '/etc/tls/tls.crt'],
  ['FLOWFORGE_HSTS', 'a year'],
  ['FLOWFORGE_TRUSTED_PROXIES', '10.0.0.0/8,everybody'],
  ['FLOWFORGE_TRUSTED_PROXIES', '10.0.0.0/33'],
  ['FLOWFORGE_TRUSTED_PROXIES', '10.0.0.0/8/8'],
  ['FLOWFORGE_CORS_ORIGINS', 'console.example.com'],
  ['FLOWFORGE_CORS_ORIGINS', 'https://console.example.com/'],
  ['FLOWFORGE_DEPRECATED_PATHS', '/v1'],
  ['FLOWFORGE_DEPRECATED_PATHS', '/v1=2027-02-31'],
  ['FLOWFORGE_DEPRECATED_PATHS', '/v1=2027-07-01/2027-01-01'],
  ['FLOWFORGE_REDIS_URL', 'http://redis:6379'],
  ['FLOWFORGE_REDIS_URL', 'redis:6379'],
  ['FLOWFORGE_REDIS_AUTHORITY', '/etc/redis/ca.pem'],
  ['FLOWFORGE_REDIS_AUTHORITY', '/etc/redis/ca.pem', { FLOWFORGE_REDIS_URL: 'redis://redis:6379' }],
  ['FLOWFORGE_INSTANCES', 'two'],
  ['FLOWFORGE_RATE_LIMIT_PER_MINUTE', 'many'],
  ['FLOWFORGE_ADDRESS_RATE_LIMIT_PER_MINUTE', '0'],
  ['FLOWFORGE_BODY_BYTES_MAX', '4 MiB'],
  ['FLOWFORGE_HEADER_BYTES_MAX', '100'],
  ['FLOWFORGE_HEAD_TIMEOUT', '10'],
  ['FLOWFORGE_CONNECTIONS_MAX', '0'],
  ['FLOWFORGE_KEY_CACHE', '2m'],
  ['FLOWFORGE_CACHE_LIST', '5'],
  ['FLOWFORGE_CACHE_ITEM', 'never'],
  ['FLOWFORGE_CACHE_STALE', '-1h'],
  ['FLOWFORGE_CACHE_BYTES_MAX', '64M'],
  ['FLOWFORGE_ADMIN_PROJECT', 'projects/default'],
  ['FLOWFORGE_OIDC_ISSUER', 'login.example.com'],
  ['FLOWFORGE_OIDC_AUDIENCE', '', provider],
  ['FLOWFORGE_OIDC_AUDIENCE', 'flowforge'],
  ['FLOWFORGE_OIDC_JWKS_URL', 'keys', provider],
  ['FLOWFORGE_OIDC_JWKS_URL', 'https://login.example.com/keys'],
  ['FLOWFORGE_OIDC_ROLES', 'ops=root', provider],
  ['FLOWFORGE_OIDC_ROLES', 'ops=admin'],
  ['FLOWFORGE_STREAM_HEARTBEAT', '1ms'],
] as const) {
  test(`${name}=${value} is refused with one line that names it and shows a right value`, () => {
    throws(
      () => readGatewayConfig({ ...required, ...others, [name]: value }),
      (error: Error) =>
        error.name === 'ConfigError' &&
        error.message.includes(name) &&
        /; example: FLOWFORGE_\w+=\S+$/.test(error.message) &&
        !error.message.includes('\n'),
    )
  })
}

test('lists are read as what their words mean', () => {
  const { trustedProxies, corsOrigins, deprecations, oidcRoles } = readGatewayConfig({
    ...required,
    ...provider,
    FLOWFORGE_TRUSTED_PROXIES: '10.0.0.0/8, fd00::1',
    FLOWFORGE_CORS_ORIGINS: 'https://console.example.com:8443,http://localhost',
    FLOWFORGE_DEPRECATED_PATHS: '/v1=2027-01-01/2027-07-01,/v0=2026-01-01',
    FLOWFORGE_OIDC_ROLES: 'ops=admin,a=b=viewer',
  })
  deepEqual(
    { trustedProxies, corsOrigins, deprecations, oidcRoles },
    {
      trustedProxies: [
        { address: '10.0.0.0', family: 'ipv4', bits: 8 },
        { address: 'fd00::1', family: 'ipv6', bits: 128 },
      ],
      corsOrigins: ['https://console.example.com:8443', 'http://localhost'],
      deprecations: [
        { path: '/v1', since: new Date('2027-01-01T00:00:00Z'), sunset: new Date('2027-07-01T00:00:00Z') },
        { path: '/v0', since: new Date('2026-01-01T00:00:00Z'), sunset: undefined },
      ],
      oidcRoles: [
        ['ops', 'admin'],
        ['a=b', 'viewer'],
      ],
    },
  )
})
