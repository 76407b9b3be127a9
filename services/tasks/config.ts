/** What the tasks service is told by its environment. */
import { address, duration, integer, oneOf, postgresUrl } from '@flowforge/runtime/config'
import { workloadSpec } from '@flowforge/runtime/workload'
import { payloadKeys } from './payload-keys.ts'

export const spec = {
  listen: address('FLOWFORGE_LISTEN', { default: '127.0.0.1:7101' }),
  adminListen: address('FLOWFORGE_ADMIN_LISTEN', { default: '127.0.0.1:7201' }),
  ...workloadSpec,
  databaseUrl: postgresUrl('FLOWFORGE_DATABASE_URL'),
  /** A pooler in transaction mode, for everything but wake-ups and migrations. */
  databasePoolerUrl: postgresUrl('FLOWFORGE_DATABASE_POOLER_URL', { optional: true }),
  payloadBytesMax: integer('FLOWFORGE_PAYLOAD_BYTES_MAX', { default: 262_144, min: 1024, max: 3_000_000 }),
  payloadKeys: payloadKeys('FLOWFORGE_PAYLOAD_KEYS'),
  /** Whether tasks.enqueue() may store payloads, which it can only do in clear. */
  clearPayloads: oneOf('FLOWFORGE_CLEAR_PAYLOADS', ['allow', 'refuse'], { default: 'allow' }),
  /** How long a request ID is remembered. */
  requestWindowMs: duration('FLOWFORGE_REQUEST_WINDOW', { default: '24h', min: '1m', max: '720h' }),
  /** Without heartbeats a worker's leases end after this long. */
  sessionTimeoutMs: duration('FLOWFORGE_SESSION_TIMEOUT', { default: '10s', min: '2s', max: '1m' }),
  /** After a broken stream a worker may resume its session for this long. */
  sessionGraceMs: duration('FLOWFORGE_SESSION_GRACE', { default: '2s', min: '100ms', max: '1m' }),
  /** A task that loses its worker this often is quarantined. */
  lossesMax: integer('FLOWFORGE_LOSSES_MAX', { default: 5, min: 1, max: 100 }),
}
