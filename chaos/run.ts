/**
 * One experiment from its beginning to its verdict:
 *
 *   start ─► warm up ─► steady state? ─► fault ─► until steady again ─► calm ─► drain ─► judge
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { commit, machine } from '@flowforge/load/facts'
import { until } from '@flowforge/local/until'
import { Client } from '@flowforge/sdk/client'
import { usualAbort, usualTraffic, phases, type Experiment } from './experiment.ts'
import { judge } from './judge.ts'
import { inject } from './local/inject.ts'
import type { Scene } from './local/scene.ts'
import { noRedis } from './local/redis.ts'
import { noSmallDisk } from './local/small-disk.ts'
import { startChaosSystem, type ChaosSystem } from './local/system.ts'
import { evaluate, type Observed } from './evaluate.ts'
import { series } from './observe/series.ts'
import { isSteady } from './observe/steady-state.ts'
import { Watch, type Moment } from './observe/watch.ts'
import { Progress, type Now } from './progress.ts'
import type { Result } from './results.ts'
import { chaosQueue, Producer } from './traffic/producer.ts'

const drainMsMax = 60_000

/** Runs an experiment on a system of its own on this machine; it never rejects because of what the system does. */
export async function runLocally(experiment: Experiment, signal: AbortSignal): Promise<Result> {
  const { diskMiB, redis } = experiment.system ?? {}
  const impossible = (diskMiB && noSmallDisk()) || (redis && noRedis()) || undefined
  if (impossible) return skipped(experiment, impossible)
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-chaos-'))
  // PostgreSQL may run as another user, who must be able to pass.
  chmodSync(folder, 0o711)
  const run = new Run(experiment, folder, signal)
  try {
    return await run.toVerdict()
  } finally {
    await run.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function skipped({ name }: Experiment, why: string): Promise<Result> {
  process.stderr.write(`${name}: skipped, ${why}\n`)
  return {
    ...(await signature(name)),
    verdict: 'skipped',
    why: [why],
    seconds: 0,
    fault: { fromMs: 0, untilMs: 0 },
    moments: [],
    series: [],
  }
}

async function signature(name: string) {
  return { name, time: new Date().toISOString(), commit: await commit(), driver: 'local' as const, machine: machine() }
}

class Run {
  readonly #experiment: Experiment
  readonly #folder: string
  readonly #signal: AbortSignal
  readonly #startedAt = performance.now()
  readonly #moments: Moment[] = []
  readonly #measured: Scene['measured'] = {}
  readonly #progress: Progress
  #now: Now & { sinceMs: number; lengthMs?: number | undefined } = {
    phase: 'starting',
    acknowledged: 0,
    errors: 0,
    sinceMs: 0,
  }
  #zero = 0
  #system: ChaosSystem | undefined
  #producer: Producer | undefined
  #watch: Watch | undefined

  constructor(experiment: Experiment, folder: string, signal: AbortSignal) {
    this.#experiment = experiment
    this.#folder = folder
    this.#signal = signal
    this.#progress = new Progress(process.stderr, experiment.name, () => this.#shown())
  }

  async toVerdict(): Promise<Result> {
    const traffic = { ...usualTraffic, ...this.#experiment.traffic }
    mkdirSync(join(this.#folder, 'histories'))
    const system = await startChaosSystem({
      folder: this.#folder,
      experiment: this.#experiment,
      traffic,
      signal: this.#signal,
      onMessage: (what) => this.#note(what),
    })
    this.#system = system
    await this.#prepareQueue(system)
    this.#zero = performance.now()
    const elapsedMs = () => performance.now() - this.#zero
    const historyFile = join(system.histories, 'producer.ndjson')
    const producer = new Producer({ url: system.url, apiKey: system.apiKey, traffic, historyFile, elapsedMs })
    this.#producer = producer
    this.#watch = new Watch({ databaseUrl: system.databaseUrl, adminPorts: system.adminPorts, elapsedMs })
    producer.start()

    await this.#phase('warming up', phases.warmUpMs)
    await this.#phase('steady state', phases.steadyMs)
    const fault = await this.#fault(system, producer)
    await this.#recovery(producer, traffic.ratePerSecond)
    await this.#phase('calm', phases.calmMs)
    this.#enter('draining')
    const endedMs = elapsedMs()
    const unanswered = await producer.stop(drainMsMax)
    await this.#drain(system)
    await this.#watch.stop()
    const judgement = await judge(system.databaseUrl, system.histories)
    const observed: Observed = {
      experiment: this.#experiment,
      traffic,
      producer,
      judgement,
      watch: this.#watch,
      fault,
      moments: this.#moments,
      measured: this.#measured,
      endedMs,
      epochMs: Date.now() - elapsedMs(),
      unanswered,
    }
    const { verdict, why, figures, buckets } = evaluate(observed)
    this.#progress.end(`${this.#experiment.name}: ${verdict}${why.map((line) => `\n  ${line}`).join('')}`)
    return {
      ...(await signature(this.#experiment.name)),
      verdict,
      why,
      seconds: Math.round((performance.now() - this.#startedAt) / 1_000),
      fault: { fromMs: Math.round(fault.fromMs), untilMs: Math.round(fault.untilMs) },
      moments: this.#moments,
      figures,
      series: buckets,
    }
  }

  async end(): Promise<void> {
    await this.#producer?.stop(0)
    await this.#watch?.stop()
    await this.#system?.stop()
  }

  /** Injects the fault; ends it early when the abort rule says so or somebody interrupts. */
  async #fault(system: ChaosSystem, producer: Producer) {
    const { fault, abort = usualAbort } = this.#experiment
    this.#enter('fault', 'forMs' in fault ? fault.forMs : undefined)
    const controller = new AbortController()
    const over = new AbortController()
    const scene: Scene = {
      system,
      producer,
      folder: this.#folder,
      signal: AbortSignal.any([controller.signal, this.#signal]),
      note: (what) => this.#note(what),
      measured: this.#measured,
    }
    const fromMs = this.#elapsedMs()
    let isAborted = false
    const watching = until(() => this.#allFailedFor(producer, abort.allFailedForMs, fromMs), 3_600_000, {
      everyMs: 250,
      signal: over.signal,
    }).then((isHarmful) => {
      if (!isHarmful || over.signal.aborted) return
      isAborted = true
      controller.abort()
    })
    await inject(fault, scene)
    const untilMs = this.#elapsedMs()
    over.abort()
    await watching
    this.#signal.throwIfAborted()
    return { fromMs, untilMs, isAborted }
  }

  #allFailedFor({ tries }: Producer, forMs: number, sinceMs: number): boolean {
    const now = this.#elapsedMs()
    if (now - sinceMs < forMs) return false
    const recent = tries.filter(({ endedMs }) => endedMs > now - forMs)
    return recent.length > 0 && recent.every(({ status }) => status !== 'OK')
  }

  /** Waits for the steady state as long as the experiment allows, and a bit. */
  async #recovery(producer: Producer, ratePerSecond: number): Promise<void> {
    const { recoverMsMax } = this.#experiment.bounds
    this.#enter('recovering', recoverMsMax)
    const fromMs = this.#elapsedMs()
    const isQuiet = () => {
      const now = this.#elapsedMs()
      if (now - fromMs < 2_000) return false
      const last = series(producer.tries, [], now, 1_000).slice(-3, -1)
      // Who has not been answered yet is not among the tries.
      const isAnswering = last.every(({ tries }) => tries > ratePerSecond / 4)
      return (
        isAnswering && last.every((bucket) => isSteady({ ...bucket, backlog: this.#watch!.backlog }, ratePerSecond))
      )
    }
    await until(isQuiet, recoverMsMax + 5_000, { everyMs: 250, signal: this.#signal })
  }

  async #drain(system: ChaosSystem): Promise<void> {
    const client = new Client({ url: system.url, apiKey: system.apiKey })
    const filter = 'state = SCHEDULED OR state = READY OR state = RUNNING'
    const isEmpty = async () => {
      try {
        const { value } = await client.listTasks({ filter, pageSize: 1 }).pages().next()
        return (value?.items.length ?? 0) === 0
      } catch {
        // Still recovering; the judge finds what is left.
        return false
      }
    }
    await until(isEmpty, drainMsMax, { everyMs: 200, signal: this.#signal })
    client.close()
  }

  async #prepareQueue({ url, apiKey }: ChaosSystem): Promise<void> {
    const client = new Client({ url, apiKey })
    await client.updateQueue(chaosQueue.name, { concurrencyPerKey: chaosQueue.concurrencyPerKey })
    client.close()
  }

  async #phase(name: string, ms: number): Promise<void> {
    this.#enter(name, ms)
    await delay(ms, undefined, { signal: this.#signal })
  }

  #enter(phase: string, lengthMs?: number): void {
    this.#now = { ...this.#now, phase, sinceMs: performance.now(), lengthMs }
    this.#progress.draw()
  }

  #shown(): Now {
    const { phase, sinceMs, lengthMs } = this.#now
    const part = lengthMs === undefined ? undefined : (performance.now() - sinceMs) / lengthMs
    const tries = this.#producer?.tries ?? []
    const errors = tries.filter(({ status }) => status !== 'OK').length
    return { phase, part, acknowledged: this.#producer?.acknowledged ?? 0, errors }
  }

  #elapsedMs(): number {
    return performance.now() - this.#zero
  }

  #note(what: string): void {
    if (this.#zero > 0) this.#moments.push({ atMs: Math.round(this.#elapsedMs()), what })
  }
}
