/** One contender's turn in one round: its processes, its tasks' numbers, and what was measured. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '@flowforge/local/until'
import { checkHistories } from '@flowforge/tasks/proof/history/check'
import { readHistories } from '@flowforge/tasks/proof/history/events'
import { readStored } from '@flowforge/tasks/proof/history/stored'
import type { Contender } from './contenders.ts'
import { cpuMs } from '../cpu.ts'
import type { MeasureName } from './measures.ts'
import type { Settings } from './program/adapter.ts'
import { now, type Produced } from './program/protocol.ts'
import type { CpuProfiler } from './profiler.ts'
import { Programme } from './programme.ts'
import type { Scale } from './scales.ts'
import type { Store } from './store.ts'
import { startTasksService, type TasksService } from './tasks-service.ts'
import { Told } from './told.ts'

const violationsMax = 10

/** Tasks that are stored and not yet run. */
export interface Backlog {
  first: number
  count: number
}

/** What work cost: CPU of all the contender's processes, and what its store wrote. */
export interface Cost {
  cpuMs: number | undefined
  bytes: number
  transactions: number | undefined
}

export interface BenchOptions {
  contender: Contender
  scale: Scale
  store: Store
  /** FlowForge's own service. */
  service?: TasksService
  profiler?: CpuProfiler
  riverBinary?: string | undefined
  folder: string
  report: (measure: MeasureName, value: number) => void
}

export class Bench {
  readonly contender: Contender
  readonly scale: Scale
  readonly store: Store
  readonly service: TasksService | undefined
  readonly report: BenchOptions['report']
  readonly producer: Programme
  readonly worker: Programme
  backlog: Backlog = { first: 0, count: 0 }
  /** For what the harness itself creates and runs. */
  readonly told = new Told('harness')
  readonly #options: BenchOptions
  readonly #programmes: Programme[] = []
  readonly #instances: TasksService[] = []
  #next = 0

  constructor(options: BenchOptions) {
    this.contender = options.contender
    this.scale = options.scale
    this.store = options.store
    this.service = options.service
    this.report = options.report
    this.#options = options
    this.producer = this.programme('producer')
    this.worker = this.programme('worker')
  }

  /** Starts one more process of the contender. */
  programme(role: string): Programme {
    const { contender, store, service, riverBinary, folder } = this.#options
    const settings: Settings = {
      url: store.url,
      address: service?.address,
      certificates: service?.certificates,
      concurrency: contender.concurrency,
      tuned: contender.tuned,
    }
    const [command, args] =
      contender.adapter === 'river'
        ? [riverBinary!, ['serve', JSON.stringify(settings)]]
        : [
            process.execPath,
            [join(import.meta.dirname, 'program/main.ts'), contender.adapter, JSON.stringify(settings)],
          ]
    const name = `${contender.name}'s ${role}`
    const programme = new Programme(name, command, args, join(folder, `${contender.name}-${role}.log`))
    this.#programmes.push(programme)
    return programme
  }

  /** Starts one more of FlowForge's services on the same database; it ends with the turn. */
  async startInstance(options: { port?: number; listenPort?: number } = {}): Promise<TasksService> {
    const { store } = this.#options
    const started = await startTasksService({
      databaseUrl: store.url,
      folder: join(this.#options.folder, 'instances'),
      inspect: false,
      ...options,
    })
    this.#instances.push(started)
    return started
  }

  /** Creates tasks with single calls; they join the backlog. */
  async produce(options: {
    callers: number
    forMs: number
    ratePerSecond?: number
  }): Promise<Produced & { first: number }> {
    const first = this.#next
    const produced = await this.producer.tell({ do: 'produce', first, countMax: this.scale.singlesMax, ...options })
    return this.#produced(produced)
  }

  /** Creates tasks, 1,000 to a call; they join the backlog. */
  async produceBulk(
    count: number,
    keys?: { as: 'fairness' | 'concurrency'; count: number },
  ): Promise<Produced & { first: number }> {
    const produced = await this.producer.tell({
      do: 'produceBulk',
      first: this.#next,
      count,
      batch: 1_000,
      callers: 4,
      keys,
    })
    return this.#produced(produced)
  }

  /** Fails unless exactly the backlog is stored and unfinished. */
  async expectBacklogStored(): Promise<void> {
    const stored = await this.store.unfinished()
    if (stored !== this.backlog.count)
      this.fail(`created ${this.backlog.count} tasks, but ${stored} are stored unfinished`)
  }

  /**
   * Waits until the whole backlog has run and is stored as finished, at most `withinMs`; then it is empty.
   *
   * Fails when a task ran twice, or when others are stored as finished than have run.
   */
  async runBacklog(withinMs: number, worker = this.worker) {
    const { first, count } = this.backlog
    const deadline = now() + withinMs
    const runs = await worker.tell({ do: 'await', first, count, withinMs })
    if (runs.repeats > 0) this.fail(`${runs.repeats} of ${count} tasks ran more than once`)
    const isComplete = runs.started === count && (await this.#settles(Math.max(5_000, deadline - now())))
    const finished = isComplete ? count : count - (await this.store.unfinished())
    const endedAt = now()
    if (runs.started === count && !isComplete)
      this.fail(`all ${count} tasks ran, but ${count - finished} are stored unfinished`)
    if (isComplete) this.backlog = { first: this.#next, count: 0 }
    return { runs, finished, endedAt, isComplete }
  }

  /** Runs what an earlier scenario may have left. */
  async emptyQueue(): Promise<void> {
    if (this.backlog.count === 0) return
    await this.worker.tell({ do: 'consume' })
    const { isComplete, finished } = await this.runBacklog(120_000)
    if (!isComplete) this.fail(`only ${finished} of ${this.backlog.count} tasks were finished after 120 s`)
    await this.stopConsuming()
  }

  /**
   * Ends the worker's running tasks, and fails unless exactly those that ran are stored as finished.
   *
   * Peers may leave the outcome of what ran while they were told to stop unstored, and would run it again.
   */
  async stopConsuming(): Promise<void> {
    await this.worker.tell({ do: 'stopConsuming' })
    const { first, count } = this.backlog
    const { started, repeats } = await this.worker.tell({ do: 'await', first, count, withinMs: 0 })
    const unstored = async () => (await this.store.unfinished()) - (count - started)
    await until(async () => (await unstored()) === 0, 2_000)
    const left = await unstored()
    const leftMax = this.contender.adapter === 'flowforge' ? 0 : this.contender.concurrency
    if (repeats > 0 || left < 0 || left > leftMax)
      this.fail(`${started} of ${count} tasks ran (${repeats} twice), of which ${left} are stored unfinished`)
  }

  /** Does the work and tells what it cost; profiles it under this name when that was asked for. */
  async costOf<T>(name: string, work: () => Promise<T>): Promise<{ result: T; cost: Cost }> {
    const { profiler, store } = this.#options
    const before = await store.written()
    await profiler?.start()
    const cpuBefore = this.#cpuMs()
    const result = await work()
    const cpuAfter = this.#cpuMs()
    await profiler?.stop(name)
    const after = await store.written()
    const cost = {
      cpuMs: cpuBefore === undefined || cpuAfter === undefined ? undefined : cpuAfter - cpuBefore,
      bytes: after.bytes - before.bytes,
      transactions: after.transactions === undefined ? undefined : after.transactions - before.transactions!,
    }
    return { result, cost }
  }

  /**
   * Compares all that FlowForge's producers and workers were told with what is stored; fails if a promise was broken.
   *
   * A worker that was killed took its history with it, so that not all of them are there.
   */
  async compareHistories(): Promise<void> {
    if (this.contender.adapter !== 'flowforge') return
    const file = join(this.#options.folder, 'history.ndjson')
    for (const programme of [this.producer, this.worker]) await programme.tell({ do: 'writeHistory', file })
    const told = [...readHistories([file]), ...this.told.events]
    const violations = checkHistories(told, await readStored(this.store.url, 'default'), { isComplete: false })
    if (violations.length > 0)
      this.fail(`${violations.length} promises were broken:\n${violations.slice(0, violationsMax).join('\n')}`)
    if (this.backlog.count > 0) return
    rmSync(file)
    this.told.forget()
  }

  fail(message: string): never {
    throw new Error(`${this.contender.name}: ${message}`)
  }

  /** Ends all of its programmes at once; whoever waits for them is told. */
  killAll(): void {
    for (const programme of this.#programmes) void programme.kill()
  }

  async end(): Promise<void> {
    await Promise.all(this.#programmes.map((programme) => programme.end()))
    await Promise.all(this.#instances.map((instance) => instance.stop()))
  }

  async #settles(withinMs: number): Promise<boolean> {
    return until(async () => (await this.store.unfinished()) === 0, withinMs, { everyMs: 2 })
  }

  #produced(produced: Produced): Produced & { first: number } {
    const first = this.#next
    this.#next += produced.count
    this.backlog = { ...this.backlog, count: this.backlog.count + produced.count }
    return { ...produced, first }
  }

  #cpuMs(): number | undefined {
    const own = this.#programmes.map(({ pid }) => pid)
    return cpuMs([...own, ...this.store.pids, ...(this.service ? [this.service.pid] : [])])
  }
}
