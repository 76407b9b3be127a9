/** The worker of the built-in task types. The SDK's first user, and nothing more. */
import { startAdmin } from '@flowforge/runtime/admin'
import { ConfigError } from '@flowforge/runtime/config'
import { runProcess } from '@flowforge/runtime/run-process'
import { openWorkload } from '@flowforge/runtime/workload'
import { Worker } from '@flowforge/sdk'
import { observeAttempt } from './attempt-metrics.ts'
import { readWorkerConfig } from './config.ts'
import { echo } from './handlers/echo.ts'
import { emailSend } from './handlers/email-send.ts'
import { httpRequest } from './handlers/http-request.ts'
import { webhookDeliver } from './handlers/webhook-deliver.ts'
import { parseAllowList, type AllowList } from './outbound/address-rules.ts'
import { boundedSnooze } from './outbound/bounded-snooze.ts'
import { createHttpClient } from './outbound/http-client.ts'

// With the abort's grace and the wait for acknowledgements this stays within the 8 s that a process has to stop.
const drainMs = 3_000
const abortGraceMs = 500

await runProcess('worker', async ({ log, health, onStop }) => {
  const config = readWorkerConfig()
  const client = createHttpClient({ allowed: allowList(config.allowHosts), requestsPerHost: config.requestsPerHost })
  onStop(() => client.close())
  const email = emailSend(config.smtpUrl)
  onStop(async () => email.close())

  const workload = await openWorkload('worker', config, log)
  onStop(async () => workload.close())
  const serverName = workload.tlsTo('tasks')?.serverName
  const worker = new Worker({
    address: config.tasksAddress,
    tls: serverName === undefined ? undefined : { folder: config.certificates!, serverName },
    parent: 'projects/-',
    queues: config.queues,
    handlers: {
      echo,
      'email.send': email.handler,
      'http.request': boundedSnooze(httpRequest(client)),
      'webhook.deliver': boundedSnooze(webhookDeliver(client)),
    },
    capacity: config.concurrency,
    abortGraceMs,
    log,
    onAttempt: observeAttempt,
  })
  const ready = () => health.isReady() && worker.isConnected
  const admin = await startAdmin({ listen: config.adminListen, ready, log })
  onStop(() => admin.stop())
  onStop(() => worker.drain(drainMs))
  await worker.start()
})

function allowList(entries: string[]): AllowList {
  try {
    return parseAllowList(entries)
  } catch (error) {
    throw new ConfigError(
      `FLOWFORGE_ALLOW_HOSTS: ${(error as Error).message}; example: FLOWFORGE_ALLOW_HOSTS=receiver.internal,10.0.0.0/8`,
    )
  }
}
