import { address, path, postgresUrl, readConfig } from '@flowforge/runtime/config'
import { workloadSpec } from '@flowforge/runtime/workload'

/** Every variable that accounts reads; the log level and OTEL_* are the runtime's. */
export function readAccountsConfig() {
  return readConfig({
    listen: address('FLOWFORGE_LISTEN', { default: '127.0.0.1:7102' }),
    adminListen: address('FLOWFORGE_ADMIN_LISTEN', { default: '127.0.0.1:7202' }),
    databaseUrl: postgresUrl('FLOWFORGE_DATABASE_URL'),
    ...workloadSpec,
    /** An admin key for `projects/default` is written to this file at the first start. */
    bootstrapKeyFile: path('FLOWFORGE_BOOTSTRAP_KEY_FILE', { optional: true }),
    /** The key in this file, which somebody else made, becomes one. */
    adminKeyFile: path('FLOWFORGE_ADMIN_KEY_FILE', { optional: true }),
  })
}
