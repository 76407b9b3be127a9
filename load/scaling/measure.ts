/** One system with several instances of one component, and what it can do at most. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@flowforge/local/free-port'
import { planAnother, type PlannedService } from '@flowforge/local/service-plan'
import { startSystem } from '@flowforge/local/system'
import { HttpTarget } from '../http-target.ts'
import { LatencyRecorder } from '../latencies.ts'
import { handledCalls } from './handled-calls.ts'
import { Quota } from './quota.ts'

export type Scaled = 'gateway' | 'tasks'

export interface ScalingPoint {
  component: Scaled
  instances: number
  /** Creations answered a second, with as many callers as keep every instance busy. */
  perSecond: number
  p50Ms: number
  p95Ms: number
  errors: number
  /** Calls that each instance served in the measured time. */
  served: number[]
}

export interface ScalingOptions {
  component: Scaled
  instances: number
  /** Of one core, for each instance; undefined for as much as there is. */
  shareOfCore: number | undefined
  seconds: number
  signal: AbortSignal
}

const callers = 60
const warmUpMs = 3_000
const body = JSON.stringify({ type: 'echo', payload: { text: 'x'.repeat(400) } })

export async function measurePoint(options: ScalingOptions): Promise<ScalingPoint> {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-scaling-'))
  chmodSync(folder, 0o711)
  const quota = new Quota(options.shareOfCore ?? 1)
  const stops: (() => Promise<unknown>)[] = []
  try {
    const ports = await Promise.all(Array.from({ length: options.instances - 1 }, freePort))
    const planned = new Map<string, PlannedService>()
    const system = await startSystem({
      dataDir: join(folder, 'data'),
      port: 0,
      workers: 0,
      env: { FLOWFORGE_LOG_LEVEL: 'warn' },
      signal: options.signal,
      async adapt(service) {
        planned.set(service.component, service)
        if (options.component !== 'tasks' || service.component !== 'gateway') return service
        const all = [service.env.FLOWFORGE_TASKS_ADDRESS, ...ports.map((port) => `127.0.0.1:${port}`)]
        return { ...service, env: { ...service.env, FLOWFORGE_TASKS_ADDRESS: `ipv4:${all.join()}` } }
      },
    })
    stops.push(() => system.stop())
    const first = planned.get(options.component)!
    const adminPorts = [first.adminPort]
    const names = [first.name]
    for (const port of ports) {
      const another = await planAnother(first, names.length + 1, port)
      await system.add(another)
      adminPorts.push(another.adminPort)
      names.push(another.name)
    }
    const pids = names.map((name) => system.pids()[name]!)
    const urls =
      options.component === 'gateway' ? [system.url, ...ports.map((port) => `http://127.0.0.1:${port}`)] : [system.url]
    const target = new HttpTarget({ urls, apiKey: system.apiKey, connections: callers, timeoutMs: 10_000 })
    stops.push(() => target.close())
    await callFor(target, warmUpMs, options.signal)
    // Starting and warming up is nobody's capacity.
    if (options.shareOfCore !== undefined) for (const pid of pids) quota.limit(pid)
    await callFor(target, 1_000, options.signal)
    const before = await Promise.all(adminPorts.map(servedBy))
    const { latencies, errors, perSecond } = await callFor(target, options.seconds * 1_000, options.signal)
    const after = await Promise.all(adminPorts.map(servedBy))
    const { p50, p95 } = latencies.read()
    const served = after.map((count, index) => count - before[index]!)
    const { component, instances } = options
    return { component, instances, perSecond: Math.round(perSecond), p50Ms: p50, p95Ms: p95, errors, served }
  } finally {
    for (const stop of stops.reverse()) await stop()
    quota.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Callers that ask again as soon as they were answered: for how much there can be, not for how long one waits. */
async function callFor(target: HttpTarget, forMs: number, signal: AbortSignal) {
  const latencies = new LatencyRecorder()
  const startedAt = performance.now()
  let errors = 0
  const caller = async () => {
    while (performance.now() - startedAt < forMs && !signal.aborted) {
      const askedAt = performance.now()
      const { status } = await target.call('POST', '/v1/projects/default/tasks', body)
      if (status === 200) latencies.record(performance.now() - askedAt)
      else errors += 1
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  signal.throwIfAborted()
  return { latencies, errors, perSecond: (latencies.count * 1_000) / (performance.now() - startedAt) }
}

async function servedBy(adminPort: number): Promise<number> {
  return handledCalls(await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text())
}
