import { address, integer, path, readConfig, target, text } from '@flowforge/runtime/config'

/** What the experiments' worker is told: what every worker is, and where it keeps its history. */
export function readWorkerConfig() {
  return readConfig({
    adminListen: address('FLOWFORGE_ADMIN_LISTEN', { default: '127.0.0.1:0' }),
    tasksAddress: target('FLOWFORGE_TASKS_ADDRESS'),
    certificates: path('FLOWFORGE_CERTIFICATES'),
    namespace: text('FLOWFORGE_NAMESPACE', { default: 'flowforge' }),
    trustDomain: text('FLOWFORGE_TRUST_DOMAIN', { default: 'cluster.local' }),
    capacity: integer('FLOWFORGE_WORKER_CONCURRENCY', { default: 20, min: 1, max: 10_000 }),
    /** The history's file; the process number is appended, so that a restarted worker is another client. */
    history: path('FLOWFORGE_CHAOS_HISTORY'),
  })
}
