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
import { Progress, type Now } from '@flowforge/load/progress'
import { until } from '@flowforge/local/until'
import { usualAbort, usualTraffic, phases, type Bounds, type Experiment } from './experiment.ts'
import { evaluate, type Observed } from './evaluate.ts'
import { series } from './observe/series.ts'
import { isSteady } from './observe/steady-state.ts'
import type { Moment } from './observe/watch.ts'
import type { Result } from './results.ts'
import type { Driver, Stage, StageLoad } from './stage.ts'

const drainMsMax = 60_000

/** Runs an experiment on a stage of its own; it never rejects because of what the system does. */
export async function run(wanted: Experiment, driver: Driver, signal: AbortSignal): Promise<Result> {
  const impossible = driver.whyNot(wanted)
  if (impossible) return skipped(wanted, driver, impossible)
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-chaos-'))
  // PostgreSQL may run as another user, who must be able to pass.
  chmodSync(folder, 0o711)
  const running = new Run({ ...wanted, bounds: boundsOn(driver, wanted.bounds) }, driver, folder, signal)
  try {
    return await running.toVerdict()
  } finally {
    await running.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

function boundsOn({ slowerMs }: Driver, bounds: Bounds): Bounds {
  const { recoverMsMax, detectMsMax } = bounds
  const detection = detectMsMax === undefined ? {} : { detectMsMax: detectMsMax + slowerMs }
  return { ...bounds, ...detection, recoverMsMax: recoverMsMax + slowerMs }
}

async function skipped({ name }: Experiment, driver: Driver, why: string): Promise<Result> {
  process.stderr.write(`${name}: skipped, ${why}\n`)
  return {
    ...(await signature(name, driver)),
    verdict: 'skipped',
    why: [why],
    seconds: 0,
    fault: { fromMs: 0, untilMs: 0 },
    moments: [],
    series: [],
  }
}

async function signature(name: string, driver: Driver) {
  return { name, time: new Date().toISOString(), commit: await commit(), driver: driver.name, machine: machine() }
}

class Run {
  readonly #experiment: Experiment
  readonly #driver: Driver
  readonly #folder: string
  readonly #signal: AbortSignal
  readonly #startedAt = performance.now()
  readonly #moments: Moment[] = []
  readonly #progress: Progress
  #phaseNow: { phase: string; sinceMs: number; lengthMs?: number | undefined } = { phase: 'starting', sinceMs: 0 }
  #zero = 0
  #stage: Stage | undefined

  constructor(experiment: Experiment, driver: Driver, folder: string, signal: AbortSignal) {
    this.#experiment = experiment
    this.#driver = driver
    this.#folder = folder
    this.#signal = signal
    this.#progress = new Progress(process.stderr, experiment.name, () => this.#shown())
  }

  async toVerdict(): Promise<Result> {
    const traffic = { ...usualTraffic, ...this.#experiment.traffic }
    mkdirSync(join(this.#folder, 'histories'))
    const stage = await this.#driver.open({
      experiment: this.#experiment,
      traffic,
      folder: this.#folder,
      signal: this.#signal,
      elapsedMs: () => this.#elapsedMs(),
      note: (what) => this.#note(what),
    })
    this.#stage = stage
    const { load, watch } = stage
    this.#zero = performance.now()
    load.start()

    await this.#phase('warming up', phases.warmUpMs)
    await this.#phase('steady state', phases.steadyMs)
    const fault = await this.#fault(stage)
    await this.#recovery(stage, traffic.ratePerSecond)
    await this.#phase('calm', phases.calmMs)
    this.#enter('draining')
    const endedMs = this.#elapsedMs()
    const unanswered = await load.stop(drainMsMax)
    await this.#drain(stage)
    await watch.stop()
    const judgement = await stage.judge()
    const observed: Observed = {
      experiment: this.#experiment,
      traffic,
      producer: load,
      judgement,
      watch,
      fault,
      moments: this.#moments,
      measured: stage.measured,
      endedMs,
      epochMs: Date.now() - this.#elapsedMs(),
      unanswered,
    }
    const { verdict, why, figures, buckets } = evaluate(observed)
    this.#progress.end(`${this.#experiment.name}: ${verdict}${why.map((line) => `\n  ${line}`).join('')}`)
    return {
      ...(await signature(this.#experiment.name, this.#driver)),
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
    await this.#stage?.end()
  }

  /** Injects the fault; ends it early when the abort rule says so or somebody interrupts. */
  async #fault({ load, inject }: Stage) {
    const { fault, abort = usualAbort } = this.#experiment
    this.#enter('fault', 'forMs' in fault ? fault.forMs : undefined)
    const controller = new AbortController()
    const over = new AbortController()
    const fromMs = this.#elapsedMs()
    let isAborted = false
    const watching = until(() => this.#allFailedFor(load, abort.allFailedForMs, fromMs), 3_600_000, {
      everyMs: 250,
      signal: over.signal,
    }).then((isHarmful) => {
      if (!isHarmful || over.signal.aborted) return
      isAborted = true
      controller.abort()
    })
    await inject(AbortSignal.any([controller.signal, this.#signal]))
    const untilMs = this.#elapsedMs()
    over.abort()
    await watching
    this.#signal.throwIfAborted()
    return { fromMs, untilMs, isAborted }
  }

  #allFailedFor({ tries }: StageLoad, forMs: number, sinceMs: number): boolean {
    const now = this.#elapsedMs()
    if (now - sinceMs < forMs) return false
    const recent = tries.filter(({ endedMs }) => endedMs > now - forMs)
    return recent.length > 0 && recent.every(({ status }) => status !== 'OK')
  }

  /** Waits for the steady state as long as the experiment allows, and a bit. */
  async #recovery({ load, watch }: Stage, ratePerSecond: number): Promise<void> {
    const { recoverMsMax } = this.#experiment.bounds
    this.#enter('recovering', recoverMsMax)
    const fromMs = this.#elapsedMs()
    const isQuiet = () => {
      const now = this.#elapsedMs()
      if (now - fromMs < 2_000) return false
      const last = series(load.tries, [], now, 1_000).slice(-3, -1)
      // Who has not been answered yet is not among the tries.
      const isAnswering = last.every(({ tries }) => tries > ratePerSecond / 4)
      return isAnswering && last.every((bucket) => isSteady({ ...bucket, backlog: watch.backlog }, ratePerSecond))
    }
    await until(isQuiet, recoverMsMax + 5_000, { everyMs: 250, signal: this.#signal })
  }

  async #drain(stage: Stage): Promise<void> {
    // Whoever still recovers cannot say; the judge finds what is left.
    const isDrained = () => stage.isDrained().catch(() => false)
    await until(isDrained, drainMsMax, { everyMs: 200, signal: this.#signal })
  }

  async #phase(name: string, ms: number): Promise<void> {
    this.#enter(name, ms)
    await delay(ms, undefined, { signal: this.#signal })
  }

  #enter(phase: string, lengthMs?: number): void {
    this.#phaseNow = { phase, sinceMs: performance.now(), lengthMs }
    this.#progress.draw()
  }

  #shown(): Now {
    const { phase, sinceMs, lengthMs } = this.#phaseNow
    const part = lengthMs === undefined ? undefined : (performance.now() - sinceMs) / lengthMs
    const tries = this.#stage?.load.tries ?? []
    const errors = tries.filter(({ status }) => status !== 'OK').length
    return { phase, part, counted: `${this.#stage?.load.acknowledged ?? 0} acknowledged, ${errors} errors` }
  }

  #elapsedMs(): number {
    return this.#zero === 0 ? 0 : performance.now() - this.#zero
  }

  #note(what: string): void {
    if (this.#zero > 0) this.#moments.push({ atMs: Math.round(this.#elapsedMs()), what })
  }
}
