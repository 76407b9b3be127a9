import { address, duration, postgresUrl, readConfig, target } from '@flowforge/runtime/config'
import { workloadSpec } from '@flowforge/runtime/workload'

/** Every variable that notifications reads; the log level and OTEL_* are the runtime's. */
export function readNotificationsConfig() {
  return readConfig({
    listen: address('FLOWFORGE_LISTEN', { default: '127.0.0.1:7103' }),
    adminListen: address('FLOWFORGE_ADMIN_LISTEN', { default: '127.0.0.1:7203' }),
    databaseUrl: postgresUrl('FLOWFORGE_DATABASE_URL'),
    ...workloadSpec,
    tasksAddress: target('FLOWFORGE_TASKS_ADDRESS'),
    deliveryRetentionMs: duration('FLOWFORGE_DELIVERY_RETENTION', { default: '720h', min: '1h' }),
  })
}
