import { startAdmin } from '@flowforge/runtime/admin'
import { runProcess } from '@flowforge/runtime/run-process'
import { openWorkload } from '@flowforge/runtime/workload'
import { readGatewayConfig } from './config.ts'
import { startGateway } from './gateway.ts'

/** Requests that are under way when the process is told to stop get this long. */
const drainMsMax = 4_000

await runProcess('gateway', async ({ log, health, onStop }) => {
  const config = readGatewayConfig()
  const workload = await openWorkload('gateway', config, log)
  onStop(async () => workload.close())
  const admin = await startAdmin({ listen: config.adminListen, ready: () => health.isReady(), log })
  onStop(() => admin.stop())
  const gateway = await startGateway(config, workload, log, () => process.kill(process.pid, 'SIGTERM'))
  onStop(() => gateway.stop(drainMsMax))
  health.onChange((isReady) => isReady || gateway.leave())
  await gateway.warmUp()
  log.info({ port: gateway.port }, 'serving')
})
