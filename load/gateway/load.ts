/** One load on one gateway: what is asked, and what came of it. */
import { quantile } from '../report/statistics.ts'
import { cpuMs } from '../cpu.ts'
import { runPinned, type Pinned } from './pinned.ts'
import { requests } from './requests.ts'
import type { Method } from './measures.ts'

export interface Load {
  port: number
  method: string
  path: string
  body: string
  key: string
  connections: number
  /** Before `ms`, the same without being measured. */
  warmUpMs: number
  ms: number
  /** Undefined: as fast as it answers. */
  ratePerSecond?: number
}

export interface LoadResult {
  count: number
  seconds: number
  /** Of each request in ms, sorted; only with a rate. */
  waits: number[]
}

/** Where requests come from and services are: not the core of the gateway. */
export const loadCore = 1

/**
 * Connections are new in each run, and code is compiled anew for a load of another kind: 15 ms of that would be the 99th
 * percentile. Without a rate nobody waits.
 */
const rateWarmUpMs = 3_000

/** Puts a load on a gateway; `cpuUs` is what the gateway's own processes used for a request. */
export async function putLoad(
  gateway: Pinned,
  method: Method,
  options: { connections: number; ms: number; ratePerSecond?: number },
): Promise<{ rate: number; cpuUs: number | undefined; p50: number; p99: number }> {
  const load: Load = {
    port: gateway.port,
    key: 'ff_load',
    ...requests[method],
    ...options,
    warmUpMs: options.ratePerSecond === undefined ? 0 : rateWarmUpMs,
  }
  const before = cpuMs([gateway.pid])
  const result = JSON.parse(await runPinned(loadCore, 'programs/generate.ts', [JSON.stringify(load)])) as LoadResult
  const after = cpuMs([gateway.pid])
  const { count, seconds, waits } = result
  return {
    rate: count / seconds,
    cpuUs: before === undefined || after === undefined ? undefined : ((after - before) * 1_000) / count,
    p50: waits.length === 0 ? 0 : quantile(waits, 0.5),
    p99: waits.length === 0 ? 0 : quantile(waits, 0.99),
  }
}
