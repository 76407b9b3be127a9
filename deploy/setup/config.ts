/** What the chart tells its jobs; the only file here that reads the environment. */
import {
  address,
  httpUrl,
  path,
  list,
  oneOf,
  postgresUrl,
  readConfig,
  text,
  type Spec,
  type Values,
} from '@flowforge/runtime/config'
import { workloadSpec } from '@flowforge/runtime/workload'

/** For `secrets`, which makes what an installation may not find in its values. */
export const secretsSpec = {
  server: httpUrl('FLOWFORGE_SETUP_KUBERNETES', { default: 'https://kubernetes.default.svc' }),
  /** Every Secret's name begins with it. */
  prefix: text('FLOWFORGE_SETUP_PREFIX'),
  release: text('FLOWFORGE_SETUP_RELEASE'),
  /** Whether the first API key is ours to make. */
  adminKey: oneOf('FLOWFORGE_SETUP_ADMIN_KEY', ['true', 'false'], { default: 'false' }),
  /** Whose passwords are ours to make: components, and `owner`. */
  databaseRoles: list('FLOWFORGE_SETUP_DATABASE_ROLES', { default: [] }),
  /** Whether the trial Redis' password is ours to make. */
  redis: oneOf('FLOWFORGE_SETUP_REDIS', ['true', 'false'], { default: 'false' }),
  /** Who gets a certificate, as `component` or `component=host`; nobody when another authority issues them. */
  certificates: list('FLOWFORGE_SETUP_CERTIFICATES', { default: [] }),
  namespace: text('FLOWFORGE_NAMESPACE'),
  trustDomain: text('FLOWFORGE_TRUST_DOMAIN'),
}

/** For `migrate`. */
export const migrateSpec = {
  /** May make roles and schemas; when it is unset, somebody has made them. */
  adminUrl: postgresUrl('FLOWFORGE_ADMIN_DATABASE_URL', { optional: true }),
  tasks: postgresUrl('FLOWFORGE_TASKS_DATABASE_URL'),
  accounts: postgresUrl('FLOWFORGE_ACCOUNTS_DATABASE_URL'),
  notifications: postgresUrl('FLOWFORGE_NOTIFICATIONS_DATABASE_URL'),
}

/** For `verify`. */
export const verifySpec = {
  gateway: httpUrl('FLOWFORGE_VERIFY_GATEWAY'),
  keyFile: path('FLOWFORGE_VERIFY_KEY_FILE', { default: '/run/flowforge/admin-key/key' }),
  tasks: address('FLOWFORGE_TASKS_ADDRESS'),
  accounts: address('FLOWFORGE_ACCOUNTS_ADDRESS'),
  notifications: address('FLOWFORGE_NOTIFICATIONS_ADDRESS'),
  ...workloadSpec,
}

/** Reads one of them; a missing or wrong variable is told in one line and ends the job. */
export function read<S extends Spec>(spec: S): Values<S> {
  try {
    return readConfig(spec)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(2)
  }
}
