import type { Installation } from './installation.ts'
import { dismissVisitor, sendVisitor } from './visitor-pod.ts'

/** What a load saw from its first request to the last look at its tasks. */
export interface LoadResult {
  /** Tasks that were acknowledged. */
  acknowledged: number
  /** Requests that failed; each was sent again until it was acknowledged. */
  failures: { time: string; error: string }[]
  /** Tasks that did not succeed within a minute and a half. */
  lost: string[]
  /** Tasks that were finished by more than one attempt. */
  doubled: string[]
  /** Request IDs that made more than one task, or one task for two. */
  repeated: number
  /** `second` is a Unix time. */
  timeline: { second: number; ok: number; failed: number; msMax: number }[]
}

export interface Load {
  finish(): Promise<LoadResult>
}

/** Starts `rate` requests per second from a pod inside the cluster, so that no port-forward is part of what is measured. */
export async function startLoad(installation: Installation, image: string, rate: number): Promise<Load> {
  const gateway = `http://${installation.release}-gateway.${installation.namespace}`
  const args = [gateway, await installation.apiKey(), String(rate)]
  await sendVisitor(installation, { name: 'load', script: 'load.ts', args, image })
  return {
    async finish() {
      const program = "fetch('http://127.0.0.1:9400/finish').then((r) => r.text()).then(console.log)"
      const exec = ['exec', 'load', '--', '/nodejs/bin/node', '--eval', program]
      const result = JSON.parse(await installation.kubectl(exec, { timeoutMs: 180_000 })) as LoadResult
      await dismissVisitor(installation, 'load')
      return result
    },
  }
}
