import { setTimeout as pause } from 'node:timers/promises'
import { ConfigError } from './config.ts'
import type { Logger } from './log.ts'

const waitMsMax = 30_000

/**
 * Waits until the mesh's proxy of this pod is ready, which it is once it holds a certificate: from then on it writes or
 * removes `l5d-client-id` on every call that it hands to us.
 *
 * Calling ourselves would prove nothing: a pod's own address is reached over the loopback interface, past the proxy.
 * Throws a ConfigError after `withinMs`, so that a pod without a proxy does not serve.
 */
export async function waitForProxy(admin: string, log: Logger, withinMs = waitMsMax): Promise<void> {
  const untilMs = performance.now() + withinMs
  for (;;) {
    const problem = await problemOf(admin)
    if (problem === undefined) return log.info({ admin }, 'the mesh’s proxy is ready')
    if (performance.now() > untilMs) {
      throw new ConfigError(
        `FLOWFORGE_TRANSPORT is mesh, but ${problem}: inject Linkerd's proxy into this pod, or set FLOWFORGE_TRANSPORT=mtls`,
      )
    }
    await pause(100)
  }
}

async function problemOf(admin: string): Promise<string | undefined> {
  try {
    const { ok, status, body } = await fetch(`http://${admin}/ready`, { signal: AbortSignal.timeout(1_000) })
    await body?.cancel()
    return ok ? undefined : `the proxy at ${admin} is not ready (HTTP ${status})`
  } catch {
    return `no proxy answers at ${admin}`
  }
}
