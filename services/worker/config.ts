import { address, integer, list, readConfig, target, text } from '@flowforge/runtime/config'
import { workloadSpec } from '@flowforge/runtime/workload'

/** Everything that can be set about a worker, read once. */
export function readWorkerConfig(env: NodeJS.ProcessEnv = process.env) {
  return readConfig(
    {
      adminListen: address('FLOWFORGE_ADMIN_LISTEN', { default: '127.0.0.1:0' }),
      tasksAddress: target('FLOWFORGE_TASKS_ADDRESS', { default: '127.0.0.1:7101' }),
      ...workloadSpec,
      /** Attempts at a time. */
      concurrency: integer('FLOWFORGE_WORKER_CONCURRENCY', { default: 10, min: 1, max: 10_000 }),
      queues: list('FLOWFORGE_WORKER_QUEUES', { default: [] }),
      /** Hosts, addresses and CIDR ranges that tasks may reach although they are not public. */
      allowHosts: list('FLOWFORGE_ALLOW_HOSTS', { default: [] }),
      /** Requests at a time to one host; as many again may wait. */
      requestsPerHost: integer('FLOWFORGE_WORKER_REQUESTS_PER_HOST', { default: 10, min: 1, max: 10_000 }),
      /** Where `email.send` delivers, for example smtps://user:password@mail.example.com. */
      smtpUrl: text('FLOWFORGE_SMTP_URL', { optional: true }),
    },
    env,
  )
}
