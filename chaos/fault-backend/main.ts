/** The fault backend as a process, for a GRPCRoute of a mesh to send a share of one RPC's calls to. */
import { status } from '@grpc/grpc-js'
import { runProcess } from '@flowforge/runtime/run-process'
import { readFaultBackendConfig } from './config.ts'
import { startFaultBackend } from './server.ts'

await runProcess('fault-backend', async ({ onStop }) => {
  const { listen, code, delayMs, certificates } = readFaultBackendConfig()
  const [host, port] = listen.split(/:(?=\d+$)/) as [string, string]
  const backend = await startFaultBackend({ host, port: Number(port), code: status[code], delayMs, certificates })
  onStop(async () => backend.close())
})
